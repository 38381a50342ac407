"""Which files of a folder are taken."""

import os
from pathlib import Path

import pytest

from toolkit.search.reading.folder import Skipped, walk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "project"
    folder.mkdir()
    return folder


def write(path: Path, text: str = "some text\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def taken(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in walk(root) if isinstance(path, Path)]


def skipped(root: Path) -> dict[str, str]:
    return {s.path.relative_to(root).as_posix(): s.reason for s in walk(root) if isinstance(s, Skipped)}


def test_files_come_sorted_from_every_level(root: Path) -> None:
    for name in ("b.md", "a/z.md", "a/b/c.md"):
        write(root / name)
    assert taken(root) == ["a/b/c.md", "a/z.md", "b.md"]


@pytest.mark.parametrize("name", [".git", ".venv", "node_modules", "__pycache__", ".hidden", "site-packages"])
def test_folders_that_others_wrote_are_passed_over(root: Path, name: str) -> None:
    write(root / name / "deep" / "file.md")
    write(root / "own.md")
    assert taken(root) == ["own.md"]
    assert skipped(root) == {}


def test_a_virtual_environment_is_passed_over_whatever_its_name(root: Path) -> None:
    write(root / "env" / "pyvenv.cfg")
    write(root / "env" / "lib.py")
    write(root / "own.md")
    assert taken(root) == ["own.md"]


def test_gitignore_files_count_at_every_level_and_the_nearest_decides(root: Path) -> None:
    write(root / ".gitignore", "*.log\nbuild/\n/only-top.md\n")
    write(root / "sub" / ".gitignore", "!kept.log\ndrafts/\n")
    for name in (
        "a.log",
        "build/x.md",
        "only-top.md",
        "sub/only-top.md",
        "sub/kept.log",
        "sub/b.log",
        "sub/drafts/d.md",
    ):
        write(root / name)
    assert taken(root) == ["sub/kept.log", "sub/only-top.md"]
    reasons = skipped(root)
    assert {name for name, why in reasons.items() if why == "ignored by .gitignore"} == {
        *("a.log", "build", "only-top.md", "sub/b.log", "sub/drafts"),
    }


def test_a_gitignore_above_the_folder_counts_within_the_same_repository(root: Path) -> None:
    (root / ".git").mkdir()
    write(root / ".gitignore", "secret*.md\n")
    write(root.parent / ".gitignore", "*.md\n")  # outside of the repository
    write(root / "docs" / "secret1.md")
    write(root / "docs" / "open.md")
    assert taken(root / "docs") == ["open.md"]


def test_a_folder_that_is_asked_for_is_walked_even_if_it_is_ignored(root: Path) -> None:
    (root / ".git").mkdir()
    write(root / ".gitignore", "build/\n")
    write(root / "build" / "out.md")
    assert taken(root / "build") == ["out.md"]


def test_a_pattern_that_makes_no_sense_is_passed_over(root: Path) -> None:
    write(root / ".gitignore", "!\n*.log\n")
    write(root / "a.log")
    write(root / "b.md")
    assert taken(root) == ["b.md"]


def test_hidden_files_are_left_out_with_the_reason(root: Path) -> None:
    write(root / ".editorconfig")
    assert skipped(root) == {".editorconfig": "hidden"}


def test_a_circle_of_links_ends(root: Path) -> None:
    write(root / "a" / "file.md")
    (root / "a" / "up").symlink_to(root)
    (root / "self").symlink_to("self")
    assert taken(root) == ["a/file.md"]
    assert skipped(root) == {
        "a/up": "a link to something in the same folder",
        "self": "a link that leads nowhere",
    }


def test_a_link_to_a_file_is_followed_only_out_of_the_folder(root: Path) -> None:
    write(root / "file.md")
    write(root.parent / "outside" / "other.md")
    (root / "twin.md").symlink_to("file.md")
    (root / "other.md").symlink_to(root.parent / "outside" / "other.md")
    (root / "outside").symlink_to(root.parent / "outside")
    assert taken(root) == ["file.md", "other.md"]
    assert skipped(root)["outside"] == "a link to a folder"


def test_folders_without_end_are_left_where_nobody_goes(root: Path) -> None:
    place = Path.cwd()
    os.chdir(root)
    try:
        for _ in range(260):
            Path("d").mkdir()
            os.chdir("d")
        Path("deep.md").write_text("x")
    finally:
        os.chdir(place)
    write(root / "own.md")
    assert taken(root) == ["own.md"]
    assert [*skipped(root).values()] == ["more than 200 folders deep"]


def test_a_pipe_is_not_read(root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert skipped(root) == {"pipe": "not a regular file"}


def test_a_folder_that_cannot_be_read_is_said_to_be_unseen(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root / "closed" / "file.md")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("toolkit.search.reading.folder.os.scandir", refuse)
    assert [s for s in walk(root) if isinstance(s, Skipped)] == [
        Skipped(root / "closed", "cannot be read (Permission denied)", unseen=True)
    ]
