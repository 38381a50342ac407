"""What other processes do with documents comes to the same as what is done here."""

import os
import pickle
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from toolkit.db import Database
from toolkit.search import preparing
from toolkit.search import store as store_of
from toolkit.search.documents import Document
from toolkit.search.ingest import Documents
from toolkit.search.keeping import Prepared
from toolkit.search.plan import Job
from toolkit.search.preparing import Left, Way, parts, prepare, prepared
from toolkit.search.reading.folder import Skipped
from toolkit.search.reading.readers import Broken, Readers
from toolkit.search.ready import Ready
from toolkit.search.retriever import Retriever


class Far:
    """Stands for other processes: what goes there and back is pickled. Documents that say `broken` end it."""

    at_once = 4

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    async def run(self, function: Callable[..., Any], /, *args: Any, isolated: bool = False) -> Any:
        del isolated
        part = args[0]
        self.calls.append([own_id for own_id, _ in part])
        if any("broken" in job.content.text for _, job in part):
            raise Broken("broke its reader")
        return pickle.loads(pickle.dumps(function(*pickle.loads(pickle.dumps(args)))))


def jobs(several: Iterable[Document | Path]) -> dict[str, Job]:
    return {str(number): Job(str(number), content) for number, content in enumerate(several)}


def sizes(jobs: dict[str, Job], runs: Far | Readers, *, far: bool = True) -> list[int]:
    return [len(part) for part in parts(jobs, Way(runs, far, None))]


def texts(count: int, length: int = 10) -> list[Document]:
    return [Document(f"{n}", f"{n:06} " + "x" * length) for n in range(count)]


def test_all_that_run_jobs_get_some() -> None:
    assert sizes(jobs(texts(3)), Far()) == [1, 1, 1]
    assert sizes(jobs(texts(18)), Far()) == [4, 4, 4, 4, 2]
    assert sizes({}, Far()) == []


def test_a_part_is_bounded_in_its_size_and_in_its_documents(tmp_path: Path) -> None:
    assert max(sizes(jobs(texts(4_000)), Far())) == 256
    assert sizes(jobs(texts(40, 300_000)), Far()) == [4] * 10
    assert sizes(jobs(texts(64, 30_000)), Readers(), far=False) == [2] * 32
    files = [tmp_path / f"{n}.md" for n in range(40)]
    for file in files:
        file.write_text("x" * 300_000)
    assert sizes(jobs([*files, tmp_path / "gone.md"]), Far()) == [4] * 10 + [1]


def test_what_may_break_its_reader_is_a_part_of_its_own() -> None:
    several = jobs([Path("a.md"), Path("b.pdf"), Path("c.md"), *texts(20)])
    found = [[own_id for own_id, _ in part] for part in parts(several, Way(Far(), True, None))]
    assert ["1"] in found
    assert sorted(own_id for part in found for own_id in part) == sorted(several)


async def test_a_document_that_breaks_its_reader_costs_only_itself() -> None:
    several = jobs([*texts(3), Document("3", "broken"), *texts(2)])
    way = Way(far := Far(), True, None)
    found = await prepared(way, list(several.items()), "default", "en")
    left = [each for each in found if isinstance(each, Left)]
    assert [(each.id, each.why) for each in left] == [("3", Skipped(Path("3"), "broke its reader"))]
    kept = [each.id for ready in found if isinstance(ready, Ready) for each in ready.documents]
    assert kept == ["0", "1", "2", "4", "5"]
    assert len(far.calls) == 1 + len(several)


async def test_words_are_taken_elsewhere_only_if_others_do_the_work() -> None:
    part = list(jobs(texts(2)).items())
    for far, language in ((True, "en"), (False, "")):
        (found,) = await prepared(Way(Far(), far, None), part, "default", "en")
        assert isinstance(found, Ready)
        assert (found.language, bool(found.words)) == (language, far)


def test_what_is_to_be_described_comes_without_words() -> None:
    found = prepare(list(jobs(texts(2)).items()), "default", "en", True)
    assert [type(each) for each in found] == [Prepared] * 2


@pytest.mark.parametrize("workers", [0, 2])
async def test_what_workers_read_is_found_like_what_is_read_here(db: Database, tmp_path: Path, workers: int) -> None:
    for n in range(40):
        (tmp_path / f"{n}.md").write_text(f"# Heron {n}\n\nHerons fish in marsh number{n}.\n")
    documents = Documents(db)
    given = [Document(f"given {n}", f"Storks nest on roof{n}.") for n in range(40)]
    report = await documents.ingest([tmp_path, *given], workers=workers)
    assert (report.added, report.chunks) == (80, 80)
    for query, source in (("number7", "7.md"), ("roof31", "given 31")):
        (hit,) = await Retriever(db, documents).search(query, mode="lexical")
        assert hit.source.endswith(source)
    again = await documents.ingest([tmp_path, *given], workers=workers)
    assert (again.unchanged, again.chunks) == (80, 80)


async def test_the_language_is_known_before_words_are_taken(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await Documents(db).configure("default", language="de")
    monkeypatch.setattr(store_of, "words", lambda *_: pytest.fail("taken again"))
    documents = Documents(db)
    await documents.ingest([Document("a", "Die Häuser"), Document("b", "Ein Reiher")], readers=Far())
    (hit,) = await Retriever(db, documents).search("Haus", mode="lexical")
    assert hit.source == "a"


async def test_descriptions_of_what_others_read_are_found(db: Database) -> None:
    async def describe(_text: str, passages: Sequence[str]) -> list[str]:
        return ["about breakers"] * len(passages)

    documents = Documents(db)
    await documents.ingest(texts(3), readers=Far(), describe=describe)
    hits = await Retriever(db, documents).search("breaker", mode="lexical")
    assert len(hits) == 3


async def test_a_worker_that_dies_costs_its_document(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = Documents(db)
    monkeypatch.setattr(preparing, "prepare", _prepare_or_die)
    report = await documents.ingest([*texts(8), Document("bad", "broken")], workers=2)
    assert (report.added, [source for source, _ in report.skipped]) == (8, ["bad"])


def _prepare_or_die(part: preparing.Jobs, *how: Any) -> list[preparing.Outcome]:
    if any("broken" in job.content.text for _, job in part if isinstance(job.content, Document)):
        os._exit(1)
    return prepare(part, *how)
