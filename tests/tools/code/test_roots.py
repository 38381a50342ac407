"""Confinement: what lies outside the allowed folders is not read, and not talked about."""

import os
import socket
from pathlib import Path

import pytest

from toolkit.errors import ConfigError, NotFound
from toolkit.tools.code.roots import MOST_BYTES, Roots


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "root"
    (place / "sub").mkdir(parents=True)
    (place / "a.py").write_text("x = 1\n")
    (tmp_path / "secret.py").write_text("key = 1\n")
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2/b.py").write_text("y = 1\n")
    return place.resolve()


@pytest.mark.parametrize(
    "path",
    [
        "../secret.py", "sub/../../secret.py", "/etc/passwd", "{root}/../secret.py", "{root}2/b.py", "~/x.py", "/",
        "../nothing.py", "/dev/zero", "/proc/self/environ", "link.py", "folder/secret.py", "~root/x",
    ],
)  # fmt: skip
def test_a_path_that_leads_out_is_refused_in_the_same_words_whether_it_is_there_or_not(root: Path, path: str) -> None:
    (root / "link.py").symlink_to(root.parent / "secret.py")
    (root / "folder").symlink_to(root.parent)
    path = path.format(root=root)
    for ask in (Roots([root]).resolve, Roots([root]).read):
        with pytest.raises(ConfigError) as caught:
            ask(path)
        assert str(caught.value) == (
            f"{path} lies outside the folders that may be read ({root}); TOOLKIT_CODE_ROOTS names them."
        )


def test_a_path_inside_is_found_relative_absolute_and_through_links(root: Path) -> None:
    (root / "sub/link.py").symlink_to(root / "a.py")
    roots = Roots([root])
    for path in ("a.py", "./sub/../a.py", str(root / "a.py"), "sub/link.py"):
        assert roots.read(path) == (root / "a.py", "x = 1\n")
    assert roots.resolve(".") == root


def test_each_folder_is_looked_in_and_links_may_lead_from_one_to_another(root: Path) -> None:
    other = root.parent / "root2"
    (root / "to_b.py").symlink_to(other / "b.py")
    roots = Roots([root, other])
    assert roots.read("b.py")[1] == "y = 1\n"
    assert roots.read("to_b.py")[0] == other.resolve() / "b.py"


def test_a_root_may_itself_be_a_link(root: Path) -> None:
    (root.parent / "alias").symlink_to(root)
    assert Roots([root.parent / "alias"]).read("a.py")[0] == root / "a.py"


def test_without_folders_the_working_directory_may_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = Roots()
    monkeypatch.chdir(root)
    assert roots.read("a.py")[0] == root / "a.py"
    with pytest.raises(ConfigError, match="lies outside"):
        roots.read("../secret.py")


def test_the_whole_disk_and_the_home_folder_must_be_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(root))
    for place in (Path("/"), root):
        monkeypatch.chdir(place)
        with pytest.raises(ConfigError, match="holds too much; name some in TOOLKIT_CODE_ROOTS"):
            Roots().resolve("a.py")
        assert Roots([root]).read("a.py")[1] == "x = 1\n"


def test_what_is_no_file_or_not_there_is_told(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(root / "sock"))
    (root / "circle").symlink_to(root / "circle")
    (root / "binary.py").write_bytes(b"a\0b")
    (root / "latin.py").write_bytes(b"\xe9")
    (root / "huge.py").write_bytes(b"#" * (MOST_BYTES + 1))
    for path, kind, message in (
        ("gone.py", NotFound, "There is no gone.py in"),
        ("pipe", ConfigError, "neither a file nor a folder"),
        ("sock", ConfigError, "neither a file nor a folder"),
        ("circle", ConfigError, "leads nowhere"),
        ("binary.py", ConfigError, "no text in UTF-8"),
        ("latin.py", ConfigError, "no text in UTF-8"),
        ("huge.py", ConfigError, "larger than 1,000,000 bytes"),
        ("sub", ConfigError, "is a folder; name one file"),
        ("", ConfigError, "There is no path"),
        ("a\0.py", ConfigError, "There is no path"),
        ("x" * 5000, NotFound, "There is no x"),
    ):
        with pytest.raises(kind, match=message):
            Roots([root]).read(path)


def test_a_file_of_the_largest_size_is_read_whole(root: Path) -> None:
    (root / "large.py").write_bytes(b"#" * MOST_BYTES)
    assert len(Roots([root]).read("large.py")[1]) == MOST_BYTES
