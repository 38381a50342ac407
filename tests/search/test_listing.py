"""Documents as a list of what there is."""

import pytest

from toolkit.db import Database
from toolkit.errors import ConfigError
from toolkit.search.documents import Document
from toolkit.search.ingest import Documents


@pytest.fixture
def documents(db: Database) -> Documents:
    return Documents(db)


async def test_documents_are_listed_without_their_text_last_changed_first(documents: Documents) -> None:
    for source in ("a", "b", "c"):
        await documents.ingest(Document(source, "Text.", kind="markdown", title=source.upper()))
    await documents.ingest(Document("a", "Another text."))
    listed = await documents.recent()
    assert [document.source for document in listed] == ["a", "c", "b"]
    assert (listed[1].title, listed[1].kind, listed[1].collection, listed[1].chunks) == ("C", "markdown", "default", 1)
    assert listed[0].updated_at > listed[1].updated_at


async def test_a_list_goes_on_behind_a_cursor_whatever_has_come_since(documents: Documents) -> None:
    await documents.ingest([Document(f"{number}", "Text.") for number in range(5)])
    first = await documents.recent(limit=3)
    await documents.ingest(Document("new", "Text."))
    rest = await documents.recent(limit=3, after=first[-1].cursor)
    assert {document.source for document in [*first, *rest]} == set("01234")
    assert len(rest) == 2


@pytest.mark.parametrize(
    ("matching", "found"),
    [("GUIDE/", {"guide/a", "guide/b"}), ("ünder", {"x"}), ("%", {"100%_done"}), ("_", {"100%_done"}), ("\0", set())],
)
async def test_a_part_of_source_or_title_finds_a_document_whatever_its_case(
    documents: Documents, matching: str, found: set[str]
) -> None:
    for source, title in (("guide/a", ""), ("guide/b", ""), ("100%_done", ""), ("x", "Tünder")):
        await documents.ingest(Document(source, "Text.", title=title))
    assert {document.source for document in await documents.recent(matching=matching)} == found


async def test_the_beginning_of_an_id_finds_its_document(documents: Documents) -> None:
    await documents.ingest([Document("a", "Text."), Document("b", "Text.")])
    [wanted, _] = await documents.recent()
    assert await documents.recent(matching=wanted.id[:8]) == [wanted]


async def test_a_persons_own_documents_are_nobody_elses(documents: Documents) -> None:
    await documents.ingest(Document("everyones", "Text."))
    await documents.ingest(Document("adas", "Text."), owner="ada")
    assert {document.source for document in await documents.recent(owner="ada")} == {"everyones", "adas"}
    assert {document.source for document in await documents.recent(owner="bob")} == {"everyones"}
    assert {document.source for document in await documents.recent()} == {"everyones", "adas"}


@pytest.mark.parametrize("after", ["", "nope", "2026-01-01/x", "2026-01-01T00:00:00+00:00/\0"])
async def test_a_place_that_is_none_is_told(documents: Documents, after: str) -> None:
    with pytest.raises(ConfigError, match="no place in a list"):
        await documents.recent(after=after)
    with pytest.raises(ConfigError, match="`limit`"):
        await documents.recent(limit=0)
