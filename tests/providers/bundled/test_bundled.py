"""The embedding model that comes with the package, asked as a vendor's."""

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from tests.providers.conftest import HELLO, LONG
from toolkit import providers
from toolkit.errors import ConfigError, ModelNotFound, ProviderTimeout, ProviderUnavailable
from toolkit.providers.bundled import DIMENSION, MODEL, Bundled, lanes
from toolkit.providers.bundled import encoder as module


@pytest.fixture
def bundled() -> Any:
    return providers.connect("bundled", {}, {})


async def test_it_gives_one_vector_per_text_and_counts_the_tokens(bundled: Bundled) -> None:
    embeddings = await bundled.embed(["A heron.", "A stork nests."], MODEL, timeout=LONG)
    assert [len(vector) for vector in embeddings.vectors] == [DIMENSION] * 2
    assert sum(x * x for x in embeddings.vectors[0]) == pytest.approx(1, abs=1e-5)
    assert embeddings.usage
    assert embeddings.usage.input_tokens == 6 + 7
    await bundled.close()


async def test_texts_that_mean_the_same_are_nearer_than_others(bundled: Bundled) -> None:
    query, near, far = (
        await bundled.embed(
            ["Where do storks live?", "They nest on chimneys.", "The port is 8080."], MODEL, timeout=LONG
        )
    ).vectors
    assert sum(a * b for a, b in zip(query, near, strict=True)) > sum(a * b for a, b in zip(query, far, strict=True))


async def test_another_model_and_a_question_are_refused_in_words(bundled: Bundled) -> None:
    with pytest.raises(ModelNotFound, match="There is no bundled model 'bert'; there is 'all-MiniLM-L6-v2'"):
        await bundled.embed(["x"], "bert", timeout=LONG)
    with pytest.raises(ModelNotFound, match="writes no text; use another model"):
        await bundled.complete(HELLO, MODEL, timeout=LONG)
    with pytest.raises(ModelNotFound, match="writes no text"):
        bundled.stream(HELLO, MODEL, timeout=LONG)


async def test_it_costs_nothing() -> None:
    assert providers.vendor("bundled").free


async def test_what_takes_too_long_is_a_timeout(bundled: Bundled) -> None:
    with pytest.raises(ProviderTimeout, match=r"longer than 1e-05 s for 2 texts"):
        await bundled.embed(["a", "b"], MODEL, timeout=0.00001)


async def test_a_model_that_cannot_be_loaded_is_an_error_of_the_provider(
    bundled: Bundled, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ConfigError("The file is damaged.")

    monkeypatch.setattr(lanes, "loaded", broken)
    with pytest.raises(ProviderUnavailable, match="The file is damaged"):
        await bundled.embed(["a"], MODEL, timeout=LONG)


async def test_a_question_does_not_queue_behind_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds of passages are held up; a question comes through, and then they do."""
    await lanes.encode(["warm"], "question")
    gate = threading.Event()
    run = module.Encoder.run

    def held(self: module.Encoder, tokens: module.Ids) -> Any:
        if len(tokens) > 20:
            gate.wait(LONG)
        return run(self, tokens)

    monkeypatch.setattr(module.Encoder, "run", held)
    passages = ["word " * 30] * 4
    waiting = [asyncio.create_task(lanes.encode(passages, lane)) for lane in ("passages", "background")]
    await asyncio.sleep(0)
    assert (await lanes.encode(["short"], "question")).vectors.shape == (1, DIMENSION)
    assert not any(task.done() for task in waiting)
    gate.set()
    assert [len((await task).vectors) for task in waiting] == [4, 4]


async def test_a_text_has_the_same_vector_whatever_stands_beside_it() -> None:
    texts = [
        "A heron fishes.",
        "Storks nest on chimneys. " * 30,
        "A heron fishes.",
        "",
        "def open_after(failures): ...",
    ]
    together = (await lanes.encode(texts, "passages")).vectors
    for text, found in zip(texts, together, strict=True):
        assert ((await lanes.encode([text], "question")).vectors[0] == found).all()
    assert (await lanes.encode([], "passages")).vectors.shape == (0, DIMENSION)


async def test_cancelled_it_begins_no_further_text(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[module.Ids] = []
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    run = module.Encoder.run

    def counted(self: module.Encoder, tokens: module.Ids) -> Any:
        begun.append(tokens)
        loop.call_soon_threadsafe(started.set)
        return run(self, tokens)

    monkeypatch.setattr(module.Encoder, "run", counted)
    task = asyncio.create_task(lanes.encode([f"text {n}" for n in range(320)], "background"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    at_end = len(begun)
    await lanes.encode(["another"], "background")
    assert len(begun) <= at_end + 3 < 320


async def test_a_failure_with_one_text_is_the_failure_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: module.Encoder, _tokens: module.Ids) -> Any:
        raise MemoryError

    monkeypatch.setattr(module.Encoder, "run", broken)
    with pytest.raises(MemoryError):
        await lanes.encode([f"text {n}" for n in range(40)], "passages")


def test_nothing_heavy_is_imported_before_it_is_asked() -> None:
    code = "import sys, toolkit.providers as p; p.connect('bundled', {}, {}); print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "toolkit.providers.bundled" in names
    assert not {"numpy", "onnxruntime", "tokenizers"} & set(names)
