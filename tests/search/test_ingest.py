"""Documents come in whole, once, and only when they changed."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from toolkit.db import Database
from toolkit.errors import ConfigError, Conflict, DatabaseError, IngestError
from toolkit.search import gathering, preparing
from toolkit.search.cutting import chunker
from toolkit.search.documents import Document, IngestProgress, IngestReport
from toolkit.search.ingest import Documents
from toolkit.search.reading.folder import Skipped
from toolkit.search.retriever import Retriever
from toolkit.search.store import Prepared


@pytest.fixture
def documents(db: Database) -> Documents:
    return Documents(db)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "docs"
    write(folder, **{"guide.md": "# Guide\n\nHerons fish.\n", "sub/deep.py": "def egret():\n    return 1\n"})
    return folder


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


async def sources(db: Database, collection: str = "default") -> dict[str, str]:
    rows = await db.fetch_all(
        "SELECT source, root FROM documents WHERE collection = :collection ORDER BY source", collection=collection
    )
    return {row["source"]: row["root"] for row in rows}


async def texts(db: Database) -> list[str]:
    return [row["text"] for row in await db.fetch_all("SELECT text FROM chunks ORDER BY document_id, position")]


async def found(db: Database, query: str) -> list[str]:
    return [hit.source for hit in await Retriever(db).search(query)]


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return (report.added, report.updated, report.unchanged, report.removed)


async def test_a_folder_is_searchable_after_it_was_ingested(documents: Documents, db: Database, docs: Path) -> None:
    report = await documents.ingest(docs)
    assert report == IngestReport(added=2, updated=0, unchanged=0, removed=0, skipped=(), documents=2, chunks=2)
    assert await sources(db) == {"docs/guide.md": str(docs), "docs/sub/deep.py": str(docs)}
    (hit,) = await Retriever(db).search("egret")
    assert (hit.source, hit.lines, hit.heading, hit.text) == (
        *("docs/sub/deep.py", (1, 2), "def egret"),
        "def egret():\n    return 1",
    )


async def test_what_has_not_changed_is_not_touched(
    documents: Documents, db: Database, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await documents.ingest(docs)
    before = await db.fetch_all("SELECT * FROM documents ORDER BY id")
    monkeypatch.setattr(preparing, "cut", lambda *_: pytest.fail("cut again"))
    report = await documents.ingest(docs)
    assert (counts(report), report.documents, report.chunks) == ((0, 0, 2, 0), 2, 2)
    assert await db.fetch_all("SELECT * FROM documents ORDER BY id") == before


async def test_a_changed_file_replaces_its_chunks_and_keeps_its_id(
    documents: Documents, db: Database, docs: Path
) -> None:
    await documents.ingest(docs)
    (before,) = await Retriever(db).search("herons")
    write(docs, **{"guide.md": "# Guide\n\nStorks nest.\n"})
    assert counts(await documents.ingest(docs)) == (0, 1, 1, 0)
    (after,) = await Retriever(db).search("storks")
    assert after.document_id == before.document_id
    assert await found(db, "herons") == []


async def test_a_file_that_is_gone_is_removed(documents: Documents, db: Database, docs: Path) -> None:
    await documents.ingest(docs)
    (docs / "guide.md").unlink()
    assert counts(await documents.ingest(docs)) == (0, 0, 1, 1)
    assert list(await sources(db)) == ["docs/sub/deep.py"]
    assert await found(db, "herons") == []
    assert len(await texts(db)) == 1


async def test_a_folder_that_lost_all_its_files_is_emptied(documents: Documents, db: Database, docs: Path) -> None:
    await documents.ingest(docs)
    (docs / "guide.md").unlink()
    (docs / "sub/deep.py").unlink()
    assert counts(await documents.ingest(docs)) == (0, 0, 0, 2)
    assert await sources(db) == {}


async def test_a_file_that_is_no_text_any_more_is_removed(documents: Documents, docs: Path) -> None:
    await documents.ingest(docs)
    (docs / "guide.md").write_bytes(b"\0")
    report = await documents.ingest(docs)
    assert (counts(report), report.skipped) == ((0, 0, 1, 1), (("docs/guide.md", "binary"),))


async def test_a_file_that_cannot_be_looked_at_is_kept(
    documents: Documents, db: Database, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await documents.ingest(docs)
    closed = Skipped(docs / "sub", "cannot be read (Permission denied)", unseen=True)
    monkeypatch.setattr("toolkit.search.plan.walk", lambda _: iter([docs / "guide.md", closed]))
    report = await documents.ingest(docs)
    assert (counts(report), report.skipped) == ((0, 0, 1, 0), (("docs/sub", "cannot be read (Permission denied)"),))
    assert len(await sources(db)) == 2


async def test_only_the_folder_that_was_read_loses_documents(documents: Documents, db: Database, docs: Path) -> None:
    other = docs.parent / "other"
    write(other, **{"x.md": "Text.\n"})
    await documents.ingest([docs, other, Document("note", "Words.")])
    (docs / "guide.md").unlink()
    (other / "x.md").unlink()
    (docs / "sub/deep.py").unlink()
    write(docs, **{"sub/new.md": "New.\n"})
    assert counts(await documents.ingest(docs / "sub")) == (1, 0, 0, 1)
    assert list(await sources(db)) == ["docs/guide.md", "docs/sub/new.md", "note", "other/x.md"]


async def test_a_collection_does_not_touch_another(documents: Documents, db: Database, docs: Path) -> None:
    await documents.ingest(docs, collection="one")
    await documents.ingest(docs, collection="two")
    (docs / "guide.md").unlink()
    await documents.ingest(docs, collection="two")
    assert (len(await sources(db, "one")), len(await sources(db, "two"))) == (2, 1)


async def test_a_raised_version_of_the_chunker_cuts_again(
    documents: Documents, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await documents.ingest(docs)
    monkeypatch.setattr(preparing, "VERSION", chunker.VERSION + "+")
    assert counts(await documents.ingest(docs)) == (0, 2, 0, 0)


async def test_a_file_and_its_folder_are_one_document_in_whatever_order(
    documents: Documents, db: Database, docs: Path
) -> None:
    await documents.ingest(docs / "guide.md")
    await documents.ingest(docs / "sub" / "deep.py")
    assert list(await sources(db)) == ["docs/guide.md", "sub/deep.py"]
    assert counts(await documents.ingest(docs)) == (0, 2, 0, 0)
    assert await sources(db) == {"docs/guide.md": str(docs), "docs/sub/deep.py": str(docs)}
    assert counts(await documents.ingest(docs / "sub" / "deep.py")) == (0, 0, 1, 0)
    assert counts(await documents.ingest([docs, docs / "guide.md", docs / "sub"])) == (0, 0, 2, 0)
    assert len(await sources(db)) == 2


async def test_a_larger_folder_takes_over_what_was_ingested_below_it(
    documents: Documents, db: Database, docs: Path
) -> None:
    await documents.ingest(docs)
    write(docs.parent, **{"top.md": "Top.\n"})
    assert counts(await documents.ingest(docs.parent)) == (1, 2, 0, 0)
    assert {*(await sources(db)).values()} == {str(docs.parent)}


async def test_two_folders_of_the_same_name_do_not_collide(documents: Documents, db: Database, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "docs", **{f"{n}.md": f"Text {n} of {name}.\n" for n in range(20)})
    reports = await asyncio.gather(*(documents.ingest(tmp_path / name / "docs") for name in ("a", "b")))
    assert sorted(await texts(db)) == sorted(f"Text {n} of {name}." for name in ("a", "b") for n in range(20))
    assert {report.documents for report in reports} == {20}
    assert len({(root, source.split("/")[0]) for source, root in (await sources(db)).items()}) == 2
    for name in ("a", "b"):
        assert counts(await documents.ingest(tmp_path / name / "docs")) == (0, 0, 20, 0)


async def test_a_name_that_two_folders_got_at_once_is_given_up(documents: Documents, db: Database, docs: Path) -> None:
    one, two = docs.parent / "a" / "docs", docs.parent / "b" / "docs"
    write(one, **{"x.md": "Text x."})
    write(two, **{"y.md": "Text y.", "z.md": "Text z."})
    await documents.ingest(one)
    early = Document("docs/y.md", "Text y.")  # what an ingest of `two` kept before it met the other's name
    own_id = chunker.document_id("default", "docs/y.md")
    chunks = chunker.cut(early, "default")
    await documents.put(Prepared(early, chunks, own_id, "default", "hash", 7, str(two), str(two / "y.md")))
    assert counts(await documents.ingest(two)) == (2, 0, 0, 1)
    assert {source.split("/")[0] for source, root in (await sources(db)).items() if root == str(two)} != {"docs"}
    assert counts(await documents.ingest(one)) == (0, 0, 1, 0)
    assert sorted(await texts(db)) == ["Text x.", "Text y.", "Text z."]


async def test_the_working_directory_does_not_matter(
    documents: Documents, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(docs.parent)
    await documents.ingest("docs/")
    monkeypatch.chdir(docs / "sub")
    assert counts(await documents.ingest("..")) == (0, 0, 2, 0)


async def test_two_ingests_of_one_folder_at_once_both_succeed(documents: Documents, db: Database, docs: Path) -> None:
    for number in range(30):
        write(docs, **{f"n{number}.md": f"# Number {number}\n\n" + "Words. " * 400})
    for _ in range(2):
        reports = await asyncio.gather(*(documents.ingest(docs) for _ in range(3)))
        assert {report.documents for report in reports} == {32}
        rows = await db.fetch_all(
            """
            SELECT documents.id, documents.chunks AS said, COUNT(chunks.id) AS kept, MAX(chunks.position) AS last
              FROM documents
              LEFT JOIN chunks ON chunks.document_id = documents.id
             GROUP BY documents.id, documents.chunks
            """
        )
        assert len(rows) == 32
        assert all(row["said"] == row["kept"] == row["last"] for row in rows)
        for number in range(15):
            write(docs, **{f"n{number}.md": "Changed. " * 900})


async def test_an_ingest_that_is_broken_off_leaves_whole_documents_and_the_next_goes_on(
    documents: Documents, db: Database, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_DOCUMENTS", 16)
    for number in range(120):
        write(docs, **{f"n{number}.md": f"Number {number}.\n\n" + "Words. " * 400})
    seen = asyncio.Event()

    async def stay(progress: IngestProgress) -> None:
        if progress.done == 20:
            seen.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(documents.ingest(docs, progress=stay))
    await seen.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    rows = await db.fetch_all(
        """
        SELECT documents.chunks AS said, COUNT(chunks.id) AS kept
          FROM documents
          LEFT JOIN chunks ON chunks.document_id = documents.id
         GROUP BY documents.id, documents.chunks
        """
    )
    assert 20 <= len(rows) < 122
    assert all(row["said"] == row["kept"] for row in rows)
    report = await documents.ingest(docs)
    assert report.documents == 122
    assert report.unchanged >= len(rows)


async def test_progress_grows_one_by_one_to_the_total(documents: Documents, docs: Path) -> None:
    async def slowly(progress: IngestProgress) -> None:
        await asyncio.sleep(0.005 * (progress.done % 3))
        told.append(progress)

    write(docs, **{"empty.md": "", **{f"n{number}.md": "Text." for number in range(40)}})
    told: list[IngestProgress] = []
    kinds: list[Callable[[IngestProgress], Awaitable[None] | None]] = [told.append, slowly]
    for progress in kinds:
        told.clear()
        await documents.ingest(docs, progress=progress)
        assert [(each.done, each.total) for each in told] == [(n, 43) for n in range(1, 44)]
        assert {each.source for each in told} >= {"docs/guide.md", "docs/empty.md"}


async def test_an_error_of_the_progress_callback_reaches_the_caller(documents: Documents, docs: Path) -> None:
    def fail(_: IngestProgress) -> None:
        raise RuntimeError("nobody listens")

    with pytest.raises(RuntimeError, match="nobody listens"):
        await documents.ingest(docs, progress=fail)


async def test_an_error_of_the_database_reaches_the_caller_as_itself(
    documents: Documents, db: Database, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise DatabaseError("The disk is full.")

    monkeypatch.setattr(db, "write", fail)
    with pytest.raises(DatabaseError, match="disk is full"):
        await documents.ingest(docs)


async def test_skipped_files_are_reported_with_the_reason(documents: Documents, docs: Path) -> None:
    write(docs, **{".env": "KEY=1", ".gitignore": "*.log", "a.log": "x", "empty.txt": ""})
    (docs / "picture.png").write_bytes(b"\x89PNG\0")
    assert (await documents.ingest(docs)).skipped == (
        ("docs/.env", "looks like secrets"),
        ("docs/.gitignore", "hidden"),
        ("docs/a.log", "ignored by .gitignore"),
        ("docs/empty.txt", "empty"),
        ("docs/picture.png", "binary"),
    )


async def test_a_folder_without_files_is_an_error_that_says_so(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(IngestError, match=r"There are no files in .*; give text, Markdown"):
        await documents.ingest(tmp_path / "empty")


async def test_a_folder_without_text_is_an_error_that_counts_the_reasons(documents: Documents, tmp_path: Path) -> None:
    write(tmp_path / "pictures", **{"a.png": "\0", "b.png": "\0", "c.txt": ""})
    with pytest.raises(IngestError, match=r"Nothing in .* can be ingested \(2 binary, 1 empty\); give text, Markdown"):
        await documents.ingest(tmp_path / "pictures")


async def test_a_single_file_without_text_is_an_error(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\0")
    with pytest.raises(IngestError, match=r"/a\.png cannot be ingested: binary; give text, Markdown"):
        await documents.ingest(tmp_path / "a.png")


async def test_a_missing_path_is_told_before_anything_is_written(
    documents: Documents, db: Database, docs: Path
) -> None:
    with pytest.raises(IngestError, match="does not exist"):
        await documents.ingest([docs, docs / "missing"])
    assert await sources(db) == {}


async def test_nothing_at_all_is_an_error(documents: Documents) -> None:
    with pytest.raises(IngestError, match="no files in what was given"):
        await documents.ingest([])


async def test_a_text_is_kept_once(documents: Documents, db: Database) -> None:
    for _ in range(2):
        report = await documents.ingest("Herons fish at dawn.\nEgrets too.")
    assert counts(report) == (0, 0, 1, 0)
    assert await texts(db) == ["Herons fish at dawn.\nEgrets too."]


async def test_a_document_is_replaced_by_one_of_the_same_source_if_anything_in_it_changed(
    documents: Documents, db: Database
) -> None:
    versions = [
        Document("note", "Herons fish."),
        Document("note", "Herons fish.", title="Birds"),
        Document("note", "Herons fish.", title="Birds", metadata={"lang": "en"}),
        Document("note", "Storks nest.", title="Birds", metadata={"lang": "en"}),
    ]
    reports = [counts(await documents.ingest(version)) for version in [*versions, versions[-1]]]
    assert reports == [(1, 0, 0, 0), (0, 1, 0, 0), (0, 1, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)]
    assert await texts(db) == ["Storks nest."]


async def test_a_document_may_not_take_the_name_of_a_file(documents: Documents, db: Database, docs: Path) -> None:
    await documents.ingest(docs)
    with pytest.raises(Conflict, match=r"another document called 'docs/guide\.md'; give this one another source"):
        await documents.ingest(Document("docs/guide.md", "Mine."))
    assert "Mine." not in await texts(db)


async def test_characters_that_no_database_keeps_are_replaced(documents: Documents, db: Database) -> None:
    await documents.ingest(Document("a\0b", "one\0two\r\nthree \ud83d", title="t\0"))
    assert await texts(db) == ["one\ufffdtwo\nthree \ufffd"]
    assert list(await sources(db)) == ["a\ufffdb"]


async def test_an_empty_document_is_an_error(documents: Documents) -> None:
    with pytest.raises(IngestError, match="note cannot be ingested: empty"):
        await documents.ingest(Document("note", " \n "))


async def test_metadata_that_is_no_json_is_an_error_that_names_the_document(documents: Documents) -> None:
    with pytest.raises(IngestError, match="metadata of 'note' cannot be kept as JSON"):
        await documents.ingest(Document("note", "Text.", metadata={"x": object()}))


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\0b", "x" * 201])
async def test_a_collection_has_a_printable_name(documents: Documents, docs: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a collection"):
        await documents.ingest(docs, collection=name)


async def test_a_giant_line_is_ingested(documents: Documents, db: Database, tmp_path: Path) -> None:
    (tmp_path / "min.js").write_text("var x=1;" * 60_000 + "needle")
    report = await documents.ingest(tmp_path / "min.js")
    assert report.chunks == 401
    assert {hit.lines for hit in await Retriever(db).search("needle")} == {(1, 1)}
