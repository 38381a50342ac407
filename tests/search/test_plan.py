"""What is ingested, and how it is called."""

from pathlib import Path

import pytest

from toolkit.errors import IngestError
from toolkit.search.documents import Document
from toolkit.search.plan import Found, Names, address, file_of, look


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def test_a_string_that_exists_is_a_path_even_if_it_reads_like_a_text(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "notes of a long day").write_text("text")
    monkeypatch.chdir(here)
    found = look("notes of a long day")
    assert isinstance(found, Found)
    assert found.files == [here / "notes of a long day"]


@pytest.mark.parametrize(
    "text",
    ["Herons fish at dawn.", "one line\nand another", "docs/a.md\n", "Herons or/and " + "egrets fish at dawn. " * 40],
)
def test_a_string_that_reads_like_a_text_is_one(text: str) -> None:
    document = look(text)
    assert isinstance(document, Document)
    assert document.text == text


@pytest.mark.parametrize(
    "path", ["docs", "docs/a.md", "./my docs/of the last year", "", "  ", "a\0b", "x" * 5000, "~nobody-of-that-name/x"]
)
def test_a_path_that_does_not_exist_is_told(here: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(here)
    with pytest.raises(IngestError, match="does not exist; give the path"):
        look(path)


@pytest.mark.parametrize(
    "address", ["https://example.org/docs/", "HTTP://example.org", "s3://bucket/key", Path("https://e.org")]
)
def test_an_address_is_refused_with_what_to_do(address: str | Path) -> None:
    with pytest.raises(IngestError, match="download it and give its path"):
        look(address)


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ("https://example.org/docs/", "https://example.org/docs/"),
        (" HTTP://example.org \n", "HTTP://example.org"),
        ("https://example.org is a page", None),
        ("https://example.org\nhttps://example.org/b", None),
        ("ftp://example.org", None),
        ("docs/a.md", None),
        (Path("https://example.org"), None),
        (Document("https://example.org", "text"), None),
    ],
)
def test_the_address_of_a_page_is_told_from_all_else(item: str | Path | Document, found: str | None) -> None:
    assert address(item) == found


def test_what_is_no_file_and_no_folder_is_told() -> None:
    with pytest.raises(IngestError, match="neither a file nor a folder"):
        look("/dev/null")


def test_what_is_no_path_at_all_is_told() -> None:
    with pytest.raises(IngestError, match="A int cannot be ingested"):
        look(3)  # type: ignore[arg-type] # what a caller without a type checker may pass


def folder(path: str, *files: str) -> Found:
    return Found(Path(path), is_folder=True, files=[Path(path) / file for file in files])


def single(path: str) -> Found:
    return Found(Path(path), is_folder=False, files=[Path(path)])


def test_a_file_of_a_folder_is_called_by_the_folders_name_and_its_path() -> None:
    place = Names([]).place(folder("/home/ada/docs"))
    assert place.root == "/home/ada/docs"
    assert place.source(Path("/home/ada/docs/guide/a.md")) == "docs/guide/a.md"


def test_a_single_file_is_called_as_if_its_folder_had_been_given() -> None:
    place = Names([]).place(single("/home/ada/docs/a.md"))
    assert (place.root, place.source(Path("/home/ada/docs/a.md"))) == ("/home/ada/docs/a.md", "docs/a.md")


def test_a_second_folder_of_the_same_name_gets_a_mark_and_both_keep_their_names() -> None:
    names = Names([])
    one, two = names.place(folder("/a/docs")), names.place(folder("/b/docs"))
    assert (one.label, two.label) == ("docs", "docs~cf3r")
    again = Names([("/a/docs", "docs/x.md"), ("/b/docs", "docs~cf3r/x.md")])
    assert again.place(folder("/b/docs")) == two
    assert again.place(folder("/a/docs")) == one
    assert Names([("/b/docs", "docs~cf3r/x.md")]).place(folder("/b/docs")) == two


def test_a_name_that_two_folders_have_is_given_up_by_the_next_that_is_ingested() -> None:
    names = Names([("/a/docs", "docs/x.md"), ("/b/docs", "docs/y.md")])
    assert names.place(folder("/b/docs")).label == "docs~cf3r"


def test_single_files_of_one_folder_share_its_name() -> None:
    names = Names([("/a/docs/x.md", "docs/x.md")])
    assert names.place(single("/a/docs/y.md")).label == "docs"
    assert names.place(single("/b/docs/y.md")).label == "docs~cf3r"
    assert names.place(folder("/a/docs")).label == "docs"


def test_what_lies_inside_a_known_root_belongs_to_it() -> None:
    names = Names([("/a/docs", "docs/x.md")])
    for found in (folder("/a/docs/sub"), single("/a/docs/sub/y.md")):
        place = names.place(found)
        assert (place.root, place.source(Path("/a/docs/sub/y.md"))) == ("/a/docs", "docs/sub/y.md")


def test_known_roots_below_a_folder_are_found() -> None:
    names = Names([("/a/docs/x.md", "docs/x.md"), ("/a/docs/sub", "sub/y.md"), ("/a/docs2", "docs2/z.md")])
    found = folder("/a/docs")
    assert names.below(found.path, names.place(found)) == ["/a/docs/x.md", "/a/docs/sub"]


@pytest.mark.parametrize(
    ("root", "source", "path"),
    [
        ("/a/docs", "docs/sub/x.md", "/a/docs/sub/x.md"),
        ("/a/docs", "docs~abcd/x.md", "/a/docs/x.md"),
        ("/a/docs/x.md", "docs/x.md", "/a/docs/x.md"),
        ("/a/b", "b/b", "/a/b/b"),
        ("/", "files/x.md", "/x.md"),
    ],
)
def test_the_path_of_a_document_is_found_again(root: str, source: str, path: str) -> None:
    assert file_of(root, source) == path


def test_the_root_of_the_disk_has_a_name_too() -> None:
    place = Names([]).place(folder("/"))
    assert place.source(Path("/x.md")) == "files/x.md"


def test_a_file_name_that_is_no_text_can_be_kept() -> None:
    place = Names([]).place(folder("/a/docs"))
    assert place.source(Path("/a/docs/\udcff.md")) == "docs/\ufffd.md"
