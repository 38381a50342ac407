"""What a model may do with the documents."""

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.db import Database
from toolkit.errors import ToolArgumentsError, ToolError
from toolkit.messages import Json
from toolkit.search.documents import Document, Hit
from toolkit.search.ingest import Documents
from toolkit.search.retriever import Retriever
from toolkit.search.tools import SNIPPET, search_tools, snippet
from toolkit.tools.registry import ToolRegistry
from toolkit.tools.tool import ToolContext

GUIDE = "# Guide\n\n" + "Filler words stand here.\n" * 20 + "\nThe heron fishes at dawn.\nIt stands still.\n"


@pytest.fixture
def documents(db: Database) -> Documents:
    return Documents(db)


@pytest.fixture
def tools(db: Database, documents: Documents) -> ToolRegistry:
    return ToolRegistry(search_tools(documents, Retriever(db)))


def check_same(text: str, found: list[Json]) -> None:
    """What a program is told, a model can read."""
    for each in found:
        assert f"[{each['chunk_id']}] {each['source']}:{each['lines'][0]}-{each['lines'][1]}" in text
        assert each["text"] in text
        assert each["collection"] in text
        assert each["heading"] in text


def test_the_tools_stand_in_the_presets_of_the_design(tools: ToolRegistry) -> None:
    default = ["semantic_search", "get_chunk", "list_collections", "ingest"]
    assert [tool.name for tool in tools.list(preset="default")] == default
    assert [tool.name for tool in tools.list(preset="search")] == default
    assert [tool.name for tool in tools.list(preset="search-admin")] == ["delete_document", "delete_collection"]
    assert [tool.name for tool in tools.list(read_only=True)] == default[:3]
    assert {tool.name for tool in tools.list() if tool.destructive} == {"delete_document", "delete_collection"}


def test_the_default_tools_cost_few_tokens(tools: ToolRegistry) -> None:
    sent = [
        {"name": tool.name, "title": tool.title, "description": tool.description, "inputSchema": tool.parameters}
        for tool in tools.list(preset="default")
    ]
    assert len(json.dumps(sent).encode()) / 4 < 800


async def test_a_detailed_search_gives_whole_chunks(tools: ToolRegistry, documents: Documents) -> None:
    await documents.ingest([Document("guide.md", GUIDE, "Guide", "markdown"), Document("b.md", "A heron.", "Bird")])
    result = await tools.call("semantic_search", {"query": "heron", "response_format": "detailed"})
    assert [hit["source"] for hit in result.data["hits"]] == ["b.md", "guide.md"]
    assert result.data["hits"][1]["text"] == GUIDE.rstrip("\n")
    check_same(result.text, result.data["hits"])
    assert "“Bird”" in result.text
    assert "(score 1.00)" in result.text


async def test_a_concise_search_gives_the_lines_that_fit(tools: ToolRegistry, documents: Documents) -> None:
    await documents.ingest(Document("guide.md", GUIDE, "Guide", "markdown"))
    result = await tools.call("semantic_search", {"query": "where does the heron fish"})
    (hit,) = result.data["hits"]
    assert "The heron fishes at dawn." in hit["text"]
    assert len(hit["text"]) <= SNIPPET
    first, last = hit["lines"]
    assert hit["text"] == "\n".join(GUIDE.split("\n")[first - 1 : last])
    check_same(result.text, [hit])


async def test_a_search_without_hits_says_so(tools: ToolRegistry, documents: Documents) -> None:
    await documents.ingest(Document("guide.md", GUIDE))
    result = await tools.call("semantic_search", {"query": "zeppelin"})
    assert result.text.startswith("Nothing fits 'zeppelin'.")
    assert result.data["hits"] == []
    assert result.data["note"] in result.text, "that words alone were compared"


async def test_the_cursor_of_a_search_gives_the_next_hits_until_there_are_none(
    tools: ToolRegistry, documents: Documents
) -> None:
    await documents.ingest([Document(f"{n}.md", f"A heron, number {n}.") for n in range(5)])
    found, cursor = [], ""
    for _ in range(3):
        result = await tools.call("semantic_search", {"query": "heron", "top_k": 2, "cursor": cursor})
        found += [hit["source"] for hit in result.data["hits"]]
        cursor = result.data.get("cursor", "")
        assert f"cursor: {cursor}" in result.text or not cursor
    assert sorted(found) == [f"{n}.md" for n in range(5)]
    assert not cursor


async def test_a_search_can_be_kept_to_sources_that_begin_alike(tools: ToolRegistry, documents: Documents) -> None:
    await documents.ingest([Document(name, "A heron.") for name in ("docs/a.md", "docs/b.md", "src/docs/c.md")])
    result = await tools.call("semantic_search", {"query": "heron", "source": "docs/"})
    assert sorted(hit["source"] for hit in result.data["hits"]) == ["docs/a.md", "docs/b.md"]


async def test_a_search_can_be_kept_to_a_collection_and_a_number(tools: ToolRegistry, documents: Documents) -> None:
    for name in ("one", "two"):
        await documents.ingest([Document(f"{name}{n}", "A heron.") for n in range(4)], collection=name)
    result = await tools.call("semantic_search", {"query": "heron", "collection": "two", "top_k": 3})
    assert [hit["collection"] for hit in result.data["hits"]] == ["two"] * 3


async def test_a_chunk_can_be_read_with_its_neighbors(tools: ToolRegistry, documents: Documents) -> None:
    await documents.ingest(Document("long.txt", "\n\n".join(f"P{n} " + "word " * 200 for n in range(5))))
    (hit,) = (await tools.call("semantic_search", {"query": "P2"})).data["hits"]
    result = await tools.call("get_chunk", {"chunk_id": hit["chunk_id"], "neighbors": 1})
    assert [chunk["text"].split()[0] for chunk in result.data["chunks"]] == ["P1", "P2", "P3"]
    check_same(result.text, result.data["chunks"])


async def test_collections_are_listed(tools: ToolRegistry, documents: Documents) -> None:
    empty = await tools.call("list_collections", {})
    assert (empty.text, empty.data) == (
        "There are no collections yet; add documents with ingest.",
        {"collections": []},
    )
    await documents.ingest(Document("a", "Text."), collection="birds")
    result = await tools.call("list_collections", {})
    assert result.text.startswith("birds: 1 document, 1 chunk, updated 20")
    (row,) = result.data["collections"]
    assert (row["name"], row["documents"], row["chunks"]) == ("birds", 1, 1)


async def test_a_folder_is_ingested_with_progress_and_a_report(tools: ToolRegistry, tmp_path: Path) -> None:
    async def hear(done: float, total: float | None = None, message: str = "") -> None:
        heard.append((done, total, message))

    heard: list[tuple[float, float | None, str]] = []
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.md").write_text("Text.")
    (folder / "picture.png").write_bytes(b"\0")
    arguments = {"path": str(folder), "collection": "birds"}
    result = await tools.call("ingest", arguments, ToolContext(progress=hear))
    assert result.text == ("birds: 3 added, 1 skipped; 3 documents with 3 chunks.\nskipped docs/picture.png: binary")
    assert result.data == {
        "added": 3,
        "updated": 0,
        "unchanged": 0,
        "removed": 0,
        "collection": "birds",
        "documents": 3,
        "chunks": 3,
        "skipped": [{"path": "docs/picture.png", "reason": "binary"}],
    }
    assert [(done, total) for done, total, _ in heard] == [(1, 4), (2, 4), (3, 4), (4, 4)]


async def test_progress_of_many_files_is_told_about_a_hundred_times(tools: ToolRegistry, tmp_path: Path) -> None:
    async def hear(done: float, total: float | None = None, message: str = "") -> None:
        heard.append((done, total, message))

    heard: list[tuple[float, float | None, str]] = []
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(250):
        (folder / f"{number}.md").write_text("")
    (folder / "one.md").write_text("Text.")
    result = await tools.call("ingest", {"path": str(folder)}, ToolContext(progress=hear))
    assert [done for done, _, _ in heard] == [*range(2, 251, 2), 251]
    assert result.text.endswith("… and 230 more.")
    assert (len(result.data["skipped"]), result.data["more_skipped"]) == (20, 230), "the data says the same"


async def test_a_text_is_ingested_under_its_title(tools: ToolRegistry, db: Database) -> None:
    for text in ("Herons fish.", "Storks nest."):
        await tools.call("ingest", {"text": text, "title": "birds"})
    (hit,) = await Retriever(db).search("storks")
    assert (hit.source, hit.title, hit.text) == ("birds", "birds", "Storks nest.")
    assert await Retriever(db).search("herons") == []


@pytest.mark.parametrize("arguments", [{}, {"path": " ", "text": ""}, {"path": "/x", "text": "y"}])
async def test_ingest_wants_a_path_or_a_text(tools: ToolRegistry, arguments: dict[str, Any]) -> None:
    with pytest.raises(ToolArgumentsError, match="give either `path` or `text`"):
        await tools.call("ingest", arguments)


async def test_a_path_of_many_words_is_not_taken_for_a_text(tools: ToolRegistry) -> None:
    with pytest.raises(ToolError, match="does not exist"):
        await tools.call("ingest", {"path": "the notes of last year"})


async def test_documents_and_collections_can_be_deleted(tools: ToolRegistry, documents: Documents) -> None:
    await documents.ingest([Document("a", "A heron."), Document("b", "A heron."), Document("c", "A heron.")])
    (hit, *_) = (await tools.call("semantic_search", {"query": "heron"})).data["hits"]
    own = hit["chunk_id"].partition("-")[0]
    result = await tools.call("delete_document", {"document_id": own})
    assert (result.text, result.data) == (f"Document {own} is removed.", {"document_id": own, "removed": True})
    gone = await tools.call("delete_collection", {"collection": "default"})
    assert (gone.text, gone.data) == (
        "Collection default is removed with 2 documents.",
        {"collection": "default", "removed": 2},
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("semantic_search", {"query": "heron"}),
        ("semantic_search", {"query": "heron", "collection": "none"}),
        ("get_chunk", {"chunk_id": "x-1"}),
        ("ingest", {"path": "/does/not/exist"}),
        ("delete_document", {"document_id": "x"}),
        ("delete_collection", {"collection": "none"}),
    ],
)
async def test_what_cannot_be_done_is_told_in_a_sentence(
    tools: ToolRegistry, name: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ToolError, match=r"^[\w'/ ,.;:-]+`?[\w /]*`?\.$"):
        await tools.call(name, arguments)


def hit(text: str, lines: tuple[int, int]) -> Hit:
    return Hit("d-1", "d", "a.txt", "a", "", lines, text, 1.0, "default")


def test_a_snippet_of_a_long_line_is_cut_around_the_word() -> None:
    first, last, text = snippet(hit("x " * 1000 + "needle " + "y " * 1000, (7, 7)), "the needle")
    assert (first, last) == (7, 7)
    assert "needle" in text
    assert text.startswith("…")
    assert text.endswith("…")
    assert len(text) <= SNIPPET + 2


def test_a_snippet_of_a_short_chunk_is_all_of_it() -> None:
    assert snippet(hit("one\n\ntwo", (3, 5)), "nothing of it") == (3, 5, "one\n\ntwo")
