"""Asking a search: a collection of its own and its end, waiting for vectors, chunks as documents."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from tests.search.evaluation.conftest import Folder
from toolkit.errors import ConfigError, NotFound, ToolkitError
from toolkit.search.documents import Document, Hit, Hits, IngestProgress, IngestReport, Status
from toolkit.search.evaluation import running
from toolkit.search.evaluation.running import evaluate, ranking
from toolkit.search.ranking.mode import Mode


@dataclass
class Search:
    """A search by shared words in memory, whose documents have two chunks each."""

    kept: dict[str, list[Document]] = field(default_factory=dict)
    asked: list[tuple[str, Mode, int]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    fails: bool = False
    note: str = ""

    @property
    def documents(self) -> "Search":
        return self

    async def status(self, collection: str | None = None) -> Status:  # noqa: ARG002 - it has one answer
        return Status(4, 8, self.pending.pop(0) if self.pending else 0)

    async def remove_collection(self, name: str) -> int:
        self.removed.append(name)
        if name not in self.kept:
            raise NotFound("no")
        return len(self.kept.pop(name))

    async def ingest(
        self,
        what: Sequence[Document],
        *,
        collection: str,
        progress: Callable[[IngestProgress], None] | None = None,
    ) -> IngestReport:
        if self.fails:
            raise asyncio.CancelledError
        self.kept.setdefault(collection, []).extend(what)
        for n, each in enumerate(what, 1):
            if progress:
                progress(IngestProgress(n, len(what), each.source))
        return IngestReport(len(what), 0, 0, 0, (), len(what), len(what))

    async def search(self, query: str, *, collection: str, top_k: int, mode: Mode) -> Hits:
        self.asked.append((collection, mode, top_k))
        words = set(query.lower().split())
        scored = [(len(words & set(d.text.lower().split())), d) for d in self.kept[collection]]
        best = [d for score, d in sorted(scored, key=lambda pair: -pair[0]) if score]
        hits = [hit(d.source, n, collection) for d in best for n in (1, 2)]
        return Hits(hits[:top_k], note=self.note if mode != "lexical" else "")


def hit(source: str, position: int, collection: str = "c") -> Hit:
    own_id = f"{source}-id"
    return Hit(f"{own_id}-{position}", own_id, source, source, "", (1, 1), "", 1.0, collection)


async def test_a_corpus_is_read_into_a_collection_of_its_own_that_is_removed_afterwards(folder: Folder) -> None:
    search, told = Search(), list[tuple[str, int, int]]()

    found = await evaluate(search, folder(), modes=["lexical"], told=lambda *each: told.append(each))

    assert found.figure("small", "lexical", "MRR@10").mean == 1
    assert found.figure("small", "lexical", "recall@100").mean == 0.75
    assert search.kept == {}
    assert search.removed == [search.asked[0][0]]
    assert search.removed[0].startswith("evaluation-")
    assert ("reading small", 4, 4) in told
    assert ("asking small, lexical", 1, 2) in told


async def test_every_mode_is_a_configuration_and_is_asked_every_query(folder: Folder) -> None:
    search = Search()

    found = await evaluate(search, folder(), modes=["lexical", "hybrid"], top_k=3, depth=7)

    assert found.configurations == ("lexical", "hybrid")
    assert [(mode, top_k) for _, mode, top_k in search.asked] == [("lexical", 7)] * 2 + [("hybrid", 7)] * 2
    assert found.measures[:2] == ("nDCG@3", "recall@7")


async def test_the_collection_is_removed_when_it_is_broken_off(folder: Folder) -> None:
    search = Search(fails=True)

    with pytest.raises(asyncio.CancelledError):
        await evaluate(search, folder())

    assert len(search.removed) == 1


async def test_a_corpus_can_be_kept(folder: Folder) -> None:
    search = Search()

    await evaluate(search, folder("all/a").parent, keep="mine", modes=["lexical"])
    folder("all/b")
    await evaluate(search, folder("all/a").parent, keep="mine", modes=["lexical"])

    assert (set(search.kept), search.removed) == ({"mine", "mine-a", "mine-b"}, [])


async def test_a_large_corpus_is_read_in_pieces(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_AT_ONCE", 3)
    told = list[tuple[str, int, int]]()

    await evaluate(Search(), folder(), modes=["lexical"], told=lambda *each: told.append(each))

    assert [done for what, done, _ in told if what == "reading small"] == [1, 2, 3, 4]


async def test_a_given_collection_is_searched_as_it_is(folder: Folder) -> None:
    search = Search({"mine": [Document("d1", "otters swim here"), Document("d2", "the breaker does open")]})

    found = await evaluate(search, folder(corpus_jsonl=None), modes=["lexical"], collection="mine")

    assert found.figure("small", "lexical", "MRR@10").mean == 1
    assert (set(search.kept), search.removed) == ({"mine"}, [])


async def test_judgements_of_another_collection_are_an_error_that_shows_one_of_their_ids(folder: Folder) -> None:
    search = Search({"mine": [Document("x", "otters swim here")]})

    with pytest.raises(ConfigError, match=r"Nothing that was found in 'mine' was judged in 'small'.*'d1'"):
        await evaluate(search, folder(), modes=["lexical"], collection="mine")


async def test_judgements_alone_need_a_collection(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="name the collection"):
        await evaluate(Search(), folder(corpus_jsonl=None))


async def test_a_collection_is_searched_or_made_and_ranks_have_bounds(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="one of both"):
        await evaluate(Search(), folder(), collection="a", keep="b")
    with pytest.raises(ConfigError, match="1 to 1000"):
        await evaluate(Search(), folder(), top_k=0)


async def test_meaning_is_asked_for_when_every_chunk_has_its_vector(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_PAUSE", 0)
    search, told = Search(pending=[8, 3]), list[tuple[str, int, int]]()

    await evaluate(search, folder(), modes=["semantic"], told=lambda *each: told.append(each))

    assert [each for each in told if "embedding" in each[0]] == [("embedding small", 0, 8), ("embedding small", 5, 8)]
    assert [top_k for _, _, top_k in search.asked] == [1, 100, 100], "a search tells the embedder what is missing"


async def test_words_are_asked_for_without_waiting(folder: Folder) -> None:
    search = Search(pending=[8])

    await evaluate(search, folder(), modes=["lexical"])

    assert search.pending == [8]


async def test_an_embedder_that_does_not_go_on_is_an_error(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_PAUSE", 0)
    monkeypatch.setattr(running, "_PATIENCE", 0)

    with pytest.raises(ToolkitError, match=r"8 chunks .* have no vector"):
        await evaluate(Search(pending=[8] * 1000), folder())


async def test_a_search_that_compared_only_words_is_not_taken_for_one_that_compared_meanings(folder: Folder) -> None:
    with pytest.raises(ToolkitError, match="no evaluation of hybrid search any more: The model is away"):
        await evaluate(Search(note="The model is away."), folder(), modes=["lexical", "hybrid"])


async def test_more_chunks_are_asked_for_where_several_are_of_one_document(folder: Folder) -> None:
    text = "otters swim in the river"
    search = Search({"mine": [Document(f"d{n}", text) for n in range(1, 9)]})

    found = await evaluate(search, folder(), modes=["lexical"], collection="mine", top_k=4, depth=4)

    assert {top_k for _, _, top_k in search.asked} == {4, 16}
    assert found.figure("small", "lexical", "recall@4").mean == 0.5


def test_a_hit_is_called_as_it_was_judged_each_document_once() -> None:
    hits = [hit("a", 1), hit("a", 2), hit("b", 1), hit("c", 1), hit("c", 2)]

    assert ranking(hits, frozenset({"a", "b-id-1", "c-id"})) == ["a", "b-id-1", "c-id"]
    assert ranking(hits, frozenset({"a-id-2"})) == ["a", "a-id-2", "b", "c"]
