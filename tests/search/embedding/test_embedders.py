"""Embedders by name."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from toolkit.errors import BadAnswer, ConfigError, DeadlineExceeded, NotFound, ProviderUnavailable
from toolkit.search.embedding import BUNDLED, Embedder, Embedders, libraries
from toolkit.search.embedding.embedders import LIBRARIES

Vectors = list[list[float]]


class Vendor:
    """`Router.embed` as a vendor answers it; remembers what it was asked."""

    def __init__(self, *answers: object) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self._answers = list(answers)

    async def __call__(self, texts: Sequence[str], *, model: str, timeout: float) -> Vectors:
        assert timeout > 0
        self.asked.append((model, list(texts)))
        answer = self._answers.pop(0) if self._answers else [[3.0, 4.0]] * len(texts)
        if isinstance(answer, Exception):
            raise answer
        found: Vectors = answer  # type: ignore[assignment]
        return found


def function(answer: Callable[[Sequence[str]], Any]) -> Embedder:
    embedders = Embedders(Vendor())
    embedders.register("mine", answer)
    return embedders.get("mine")


async def test_without_a_name_it_is_the_one_that_comes_with_the_package() -> None:
    embedder = Embedders(Vendor()).get()
    assert (embedder.name, embedder.dimension) == (BUNDLED, 384)
    vectors = await embedder.embed(["Where do storks nest?", "A port is a number."])
    assert (vectors.shape, str(vectors.dtype)) == ((2, 384), "float32")
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    near = await embedder.embed(["On chimneys, the stork builds its nest."], background=True)
    assert near[0] @ vectors[0] > near[0] @ vectors[1]


async def test_the_default_may_be_another_one() -> None:
    embedders = Embedders(Vendor(), default="openai/text-embedding-3-small")
    assert embedders.default == embedders.get().name == "openai/text-embedding-3-small"


async def test_a_vendors_model_is_asked_through_the_router_and_tells_its_dimension_with_the_first_vector() -> None:
    vendor = Vendor()
    embedder = Embedders(vendor).get("openai/text-embedding-3-small")
    before = embedder.dimension
    assert np.allclose(await embedder.embed(["a", "b"]), [[0.6, 0.8]] * 2)
    assert (before, embedder.dimension) == (None, 2)
    assert vendor.asked == [("openai/text-embedding-3-small", ["a", "b"])]


async def test_many_texts_are_asked_in_parts_and_come_back_in_order() -> None:
    class Echo(Vendor):
        async def __call__(self, texts: Sequence[str], *, model: str, timeout: float) -> Vectors:
            await super().__call__(texts, model=model, timeout=timeout)
            return [[1.0, float(text)] for text in texts]

    vendor = Echo()
    vectors = await Embedders(vendor).get("x/y").embed([str(n) for n in range(300)])
    assert [len(texts) for _, texts in vendor.asked] == [128, 128, 44]
    assert np.allclose(vectors[:, 1] / vectors[:, 0], range(300), rtol=1e-4)


async def test_a_model_that_tells_questions_from_passages_is_given_its_prefixes() -> None:
    vendor = Vendor()
    embedder = Embedders(vendor).get("ollama/nomic-embed-text")
    await embedder.embed(["a"], query=True)
    await embedder.embed(["b"])
    assert [texts for _, texts in vendor.asked] == [["search_query: a"], ["search_document: b"]]


async def test_an_embedder_is_made_once_and_a_function_that_is_registered_again_takes_its_place() -> None:
    embedders = Embedders(Vendor())
    assert embedders.get() is embedders.get(BUNDLED)
    embedders.register("mine", lambda texts: [[1, 0]] * len(texts))
    first = embedders.get("mine")
    embedders.register("mine", lambda texts: [[0, 1]] * len(texts))
    assert (await first.embed(["a"])).tolist() == [[1, 0]]
    assert (await embedders.get("mine").embed(["a"])).tolist() == [[0, 1]]


async def test_a_function_may_be_plain_or_a_coroutine_function_and_give_lists_or_arrays() -> None:
    async def later(texts: Sequence[str]) -> Any:
        return np.array([[0.0, 2.0]] * len(texts))

    class Callable_:  # noqa: N801 - a callable, not the type
        async def __call__(self, texts: Sequence[str]) -> Vectors:
            return [[0.0, 5.0]] * len(texts)

    for each in (later, lambda texts: [[0, 3]] * len(texts), Callable_()):
        assert (await function(each).embed(["a", "b"])).tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([[1.0, 2.0]], r"array of shape \(1, 2\) for 2 texts"),
        ([[1.0, 2.0], [1.0]], "not lists of numbers of one length"),
        ([[1.0, float("nan")], [1.0, 2.0]], "the vector of text 1 is not finite"),
        ([[1.0, 2.0], [float("inf"), 1.0]], "the vector of text 2 is not finite"),
        ([[1.0, 2.0], [0.0, 0.0]], "the vector of text 2 is zero"),
        ([[], []], "shape"),
        ("words", "not lists of numbers"),
        (None, "for 2 texts|not lists|not finite"),
        ([[[1.0]], [[1.0]]], "shape"),
    ],
)
async def test_what_is_no_vector_is_refused_whoever_gave_it(answer: object, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        await function(lambda _texts: answer).embed(["a", "b"])
    with pytest.raises(BadAnswer, match=why):
        await Embedders(Vendor(answer)).get("x/y").embed(["a", "b"])


async def test_a_model_that_changes_its_dimension_is_refused_from_then_on() -> None:
    vendor = Vendor([[1.0, 2.0]], [[1.0, 2.0, 3.0]], [[2.0, 1.0]])
    embedder = Embedders(vendor).get("x/y")
    await embedder.embed(["a"])
    with pytest.raises(BadAnswer, match="vectors of 3 dimensions where they had 2 before"):
        await embedder.embed(["a"])
    assert (await embedder.embed(["a"])).shape == (1, 2)


async def test_a_function_that_fails_is_named_with_what_it_said() -> None:
    def broken(_texts: Sequence[str]) -> None:
        raise ValueError("no disk")

    with pytest.raises(BadAnswer, match=r"'mine' failed \(ValueError: no disk\)"):
        await function(broken).embed(["a"])


async def test_a_blank_text_is_refused_before_anybody_is_asked() -> None:
    vendor = Vendor()
    with pytest.raises(ConfigError, match="Text 2 of 3 is empty"):
        await Embedders(vendor).get("x/y").embed(["a", " \n", "b"])
    assert vendor.asked == []


async def test_no_texts_are_no_vectors_and_nobody_is_asked() -> None:
    vendor = Vendor()
    embedders = Embedders(vendor)
    assert (await embedders.get("x/y").embed([])).shape == (0, 0)
    assert (await embedders.get().embed([])).shape == (0, 384)
    assert vendor.asked == []


async def test_what_the_router_raises_goes_through_and_a_missing_function_is_guessed() -> None:
    away = ProviderUnavailable("Away.", provider="x")
    with pytest.raises(ProviderUnavailable, match="Away"):
        await Embedders(Vendor(away)).get("x/y").embed(["a"])
    with pytest.raises(NotFound, match=r"^No such model\.$"):
        await Embedders(Vendor(NotFound("No such model."))).get("x/y").embed(["a"])
    with pytest.raises(NotFound, match=r"No such model\. If 'mine' is a function of yours, name it with"):
        await Embedders(Vendor(NotFound("No such model."))).get("mine").embed(["a"])


@pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 101])
def test_a_function_has_a_plain_name(name: str) -> None:
    with pytest.raises(ConfigError, match="An embedder cannot be called"):
        Embedders(Vendor()).register(name, lambda texts: [[1.0]] * len(texts))


def test_there_is_one_bundled_model() -> None:
    with pytest.raises(ConfigError, match="no bundled embedder 'e5'; there is 'all-MiniLM-L6-v2'"):
        Embedders(Vendor()).get("bundled/e5")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_that_is_not_installed_is_named_with_the_command_that_installs_it(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=rf'pip install "toolkit-mcp\[{library}\]"'):
        Embedders(Vendor()).get(f"{library}/some-model")
    with pytest.raises(ConfigError, match=f"needs the name of a model: {library}/NAME"):
        Embedders(Vendor()).get(f"{library}/")


class FakeLibrary(ModuleType):
    """Both libraries, as far as they are called; a vector tells how long its text was."""

    def __init__(self) -> None:
        super().__init__("library")
        self.loaded: list[str] = []
        self.texts: list[str] = []

    def SentenceTransformer(self, model: str) -> "FakeLibrary":  # noqa: N802 - theirs
        return self._load(model)

    def TextEmbedding(self, *, model_name: str) -> "FakeLibrary":  # noqa: N802 - theirs
        return self._load(model_name)

    def encode(self, texts: list[str], *, prompt: str, show_progress_bar: bool, convert_to_numpy: bool) -> Any:
        assert (prompt, show_progress_bar, convert_to_numpy) == ("", False, True)
        return np.array(list(self.embed(texts)))

    def embed(self, texts: list[str]) -> Any:
        self.texts += texts
        return (np.array([1.0, len(text)]) for text in texts)

    def _load(self, model: str) -> "FakeLibrary":
        if model == "missing":
            raise OSError("no such model")
        self.loaded.append(model)
        return self


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    fake = FakeLibrary()
    for name in libraries._MODULES.values():
        monkeypatch.setitem(sys.modules, name, fake)
    monkeypatch.setattr(libraries, "find_spec", lambda _name: True)
    return fake


@pytest.mark.parametrize("name", LIBRARIES)
async def test_a_librarys_model_is_loaded_once_when_it_is_first_asked(name: str, library: FakeLibrary) -> None:
    embedders = Embedders(Vendor())
    embedder = embedders.get(f"{name}/intfloat/e5-small-v2")
    assert library.loaded == []
    assert (await embedder.embed(["ab"], query=True)).shape == (1, 2)
    assert (await embedder.embed(["abc"] * 40)).shape == (40, 2)
    assert library.loaded == ["intfloat/e5-small-v2"]
    assert set(library.texts) == {"query: ab", "passage: abc"}
    assert embedder.dimension == 2
    await embedders.close()


@pytest.mark.parametrize("name", LIBRARIES)
async def test_a_librarys_model_that_is_not_there_is_told_in_words(name: str, library: FakeLibrary) -> None:
    with pytest.raises(ConfigError, match=rf"{name} cannot load the model 'missing' \(OSError: no such model\)"):
        await Embedders(Vendor()).get(f"{name}/missing").embed(["a"])
    library.embed = None  # type: ignore[method-assign, assignment]
    with pytest.raises(BadAnswer, match="failed"):
        await Embedders(Vendor()).get(f"{name}/other").embed(["a"])


def test_nothing_heavy_is_imported_before_an_embedder_is_asked_for() -> None:
    code = "import sys, toolkit.search.embedding, toolkit.search.embedding.worker; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "onnxruntime", "tokenizers", "simsimd"} & set(names)


async def test_who_wants_vectors_gets_them_as_the_model_gives_them_through_the_router() -> None:
    vendor = Vendor()
    embedders = Embedders(vendor)
    assert await embedders.embed(["a"], model="ollama/nomic-embed-text") == [[3.0, 4.0]]
    assert await embedders.embed(["a"]) == [[3.0, 4.0]]
    assert vendor.asked == [("ollama/nomic-embed-text", ["a"]), (BUNDLED, ["a"])]


async def test_who_wants_vectors_of_a_function_gets_them_within_the_time() -> None:
    async def slow(texts: Sequence[str]) -> Vectors:
        await asyncio.sleep(0 if texts == ["fast"] else 60)
        return [[0.0, 2.0]] * len(texts)

    embedders = Embedders(Vendor(), default="mine")
    embedders.register("mine", slow)
    assert await embedders.embed(["fast"]) == [[0.0, 1.0]]
    with pytest.raises(DeadlineExceeded, match=r"within 0\.01 s"):
        await embedders.embed(["slow"], timeout=0.01)
