"""Who reads a query and passages together."""

import sys
from collections.abc import Sequence
from functools import partial
from types import ModuleType

import pytest

from toolkit.errors import ConfigError
from toolkit.search.ranking.rerankers import Rerankers

PASSAGES = ["a heron", "a stork nests", "x"]


def by_length(_query: str, passages: Sequence[str]) -> list[int]:
    return [len(passage) for passage in passages]


async def by_length_later(query: str, passages: Sequence[str]) -> list[int]:
    return by_length(query, passages)


async def test_a_function_is_a_reranker_plain_or_not() -> None:
    for function in (by_length, by_length_later, partial(by_length_later)):
        assert await Rerankers.ask(Rerankers().get(function), "q", PASSAGES) == [7.0, 13.0, 1.0]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1.0], "gave 1 scores for 3 passages"),
        ([1.0, float("nan"), 2.0], "no finite number"),
        (["high", "low", "low"], r"The reranker failed \(ValueError"),
        (None, r"The reranker failed \(TypeError"),
    ],
)
async def test_what_is_no_score_is_told_in_words(scores: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        await Rerankers.ask(lambda _query, _passages: scores, "q", PASSAGES)  # type: ignore[arg-type,return-value]


async def test_a_function_that_fails_is_told_in_words() -> None:
    def broken(_query: str, _passages: Sequence[str]) -> list[float]:
        raise RuntimeError("no memory")

    with pytest.raises(ConfigError, match=r"The reranker failed \(RuntimeError: no memory\); nothing was reranked"):
        await Rerankers.ask(broken, "q", PASSAGES)


@pytest.mark.parametrize("name", ["", "big", "cohere/rerank", "fastembed/"])
def test_an_unknown_name_is_told_with_what_can_be_named(name: str) -> None:
    with pytest.raises(ConfigError, match="sentence-transformers/MODEL or fastembed/MODEL, or give a function"):
        Rerankers().get(name)


def test_something_else_than_a_function_is_refused() -> None:
    with pytest.raises(ConfigError, match="rerank is a int; give a function"):
        Rerankers().get(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("library", ["sentence-transformers", "fastembed"])
def test_a_library_that_is_missing_is_one_sentence(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.search.ranking.rerankers.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=rf'pip install "toolkit-mcp\[{library}\]", or give a function\.$'):
        Rerankers().get(f"{library}/some/model")


async def test_a_cross_encoder_is_loaded_once_and_asked_in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    class CrossEncoder:
        def __init__(self, name: str) -> None:
            loaded.append(name)

        def predict(self, pairs: list[tuple[str, str]]) -> list[float]:
            return [float(len(query) + len(passage)) for query, passage in pairs]

    module = ModuleType("sentence_transformers")
    module.CrossEncoder = CrossEncoder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    monkeypatch.setattr("toolkit.search.ranking.rerankers.find_spec", lambda _name: object())
    rerankers = Rerankers()
    for _ in range(2):
        model = rerankers.get("sentence-transformers/cross-encoder/tiny")
        assert await Rerankers.ask(model, "q", PASSAGES) == [8.0, 14.0, 2.0]
    assert loaded == ["cross-encoder/tiny"]


async def test_a_model_that_cannot_be_loaded_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_name: str) -> None:
        raise OSError("no such model")

    package = ModuleType("fastembed.rerank.cross_encoder")
    package.TextCrossEncoder = failing  # type: ignore[attr-defined]
    for name in ("fastembed", "fastembed.rerank", "fastembed.rerank.cross_encoder"):
        monkeypatch.setitem(sys.modules, name, package)
    monkeypatch.setattr("toolkit.search.ranking.rerankers.find_spec", lambda _name: object())
    with pytest.raises(ConfigError, match=r"The reranker fastembed/x cannot be loaded: no such model"):
        await Rerankers.ask(Rerankers().get("fastembed/x"), "q", PASSAGES)
