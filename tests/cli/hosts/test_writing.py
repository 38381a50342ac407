"""A file is replaced in one step, after a copy, or is left as it was."""

import os
from pathlib import Path

import pytest

from toolkit.cli.hosts.writing import rewrite
from toolkit.errors import ConfigError


def longer(text: str) -> str:
    return text + "more\n"


def test_a_new_file_is_made_with_its_folder_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"

    assert rewrite(path, longer) is None

    assert path.read_text() == "more\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_was_there_is_in_the_copy_and_the_mode_stays(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text("old\n")
    path.chmod(0o640)

    copies = [rewrite(path, longer), rewrite(path, longer)]  # within one second

    assert [copy.read_text() for copy in copies if copy] == ["old\n", "old\nmore\n"]
    assert all(copy and copy.name.startswith("b.json.20") and copy.suffix == ".bak" for copy in copies)
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(list(tmp_path.iterdir())) == 3  # nothing else is left lying about


def test_where_nothing_changes_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(b"old\r\n")
    before = path.stat()

    assert rewrite(path, lambda text: text) is None

    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_link_stays_a_link_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "real.json"
    real.write_text("old\n")
    link = tmp_path / "link.json"
    link.symlink_to(real)

    copy = rewrite(link, longer)

    assert link.is_symlink()
    assert real.read_text() == "old\nmore\n"
    assert copy
    assert copy.parent == real.parent


def test_ends_of_lines_and_the_mark_at_the_beginning_stay(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(b"\xef\xbb\xbfold\r\n")

    rewrite(path, longer)

    assert path.read_bytes() == b"\xef\xbb\xbfold\r\nmore\r\n"


def test_what_cannot_be_edited_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text("old\n")

    def refuse(_text: str) -> str:
        raise ValueError("line 1, column 2: odd")

    with pytest.raises(ConfigError, match=r"b.json cannot be changed: line 1, column 2: odd; mend it, or paste"):
        rewrite(path, refuse)

    assert [each.name for each in tmp_path.iterdir()] == ["b.json"]


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(b"\xff\xfe{}")

    with pytest.raises(ConfigError, match="cannot be changed"):
        rewrite(path, longer)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ConfigError, match=r"cannot be written: Permission denied; .*--path"):
            rewrite(tmp_path / "b.json", longer)
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_on_a_disk_that_is_only_read_is_named_and_the_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b.json"
    path.write_text("old\n")

    def read_only(*_args: object, **_options: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", read_only)
    with pytest.raises(ConfigError, match=r"cannot be written: Read-only file system; .*--path"):
        rewrite(path, longer)

    assert path.read_text() == "old\n"


def test_a_disk_that_is_full_leaves_the_old_file_and_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "b.json"
    path.write_text("old\n")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        rewrite(path, longer)

    assert path.read_text() == "old\n"
    assert not list(tmp_path.glob(".b.json.*"))


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")

    with pytest.raises(ConfigError, match="cannot be written"):
        rewrite(tmp_path / "a", longer)
