"""What an ingest has to do: which files, under which names, in place of what."""

import hashlib
import re
from base64 import b32encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from toolkit.errors import IngestError
from toolkit.search.documents import Document
from toolkit.search.reading.folder import Skipped, walk
from toolkit.search.reading.loader import clean, from_text
from toolkit.search.reading.web import Fetched
from toolkit.search.store import Known

Ingestible: TypeAlias = str | PathLike[str] | Document
"""A path, a text, or a document."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # one slash: a `Path` of an address has lost the other
_PAGE = re.compile(r"(?i)https?://\S+$")
_FEW_WORDS = 4
_LONG_PATH = 260


@dataclass(frozen=True, slots=True)
class Job:
    """One document to be looked at.

    Attributes:
        source: its name in the collection.
        content: the document, the file that holds it, or what an address gave.
        root: the folder or file given to `ingest`; empty for a document that is no file.
        known: what is kept of it, None if it is new.
        replaces: ids of documents that were made of the same file for another root.
    """

    source: str
    content: Document | Path | Fetched
    root: str = ""
    known: Known | None = None
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What lies at a path: the path without links, whether it is a folder, and what is in it."""

    path: Path
    is_folder: bool
    files: Sequence[Path | Skipped]


def address(item: Ingestible) -> str | None:
    """The address of a page, if `item` is one: a string without a line end that begins with `http://` or `https://`."""
    text = item if isinstance(item, str) else ""
    return text.strip() if _PAGE.match(text.strip()) and "\n" not in text.strip() else None


def look(item: Ingestible) -> Document | Found:
    """What `item` is: a document, or the files at a path. It reads folders, so it belongs on a thread.

    A string is a path if it exists; else it is a text if it has several lines, or several words and no slash.

    Raises:
        IngestError: there is nothing at the path.
    """
    if isinstance(item, Document):
        return item
    if not isinstance(item, str | PathLike):
        raise IngestError(f"A {type(item).__name__} cannot be ingested; give a path, a text or a Document.")
    text = str(item)
    if isinstance(item, str) and "\n" in text:
        return from_text(text)
    if _ADDRESS.match(text):
        raise IngestError(f"{text} is an address that is not fetched; download it and give its path.")
    try:
        path = Path(text).expanduser().resolve()
        exists = bool(text.strip()) and path.exists()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, a circle of links, no home folder
        exists = False
    if not exists and isinstance(item, str) and _is_sentence(text):
        return from_text(text)
    if not exists:
        raise IngestError(f"{text[:_LONG_PATH]!r} does not exist; give the path of a file or folder that does.")
    if path.is_dir():
        return Found(path, is_folder=True, files=list(walk(path)))
    if path.is_file():
        return Found(path, is_folder=False, files=[path])
    raise IngestError(f"{text} is neither a file nor a folder; give the path of one.")


def _is_sentence(text: str) -> bool:
    return len(text.split()) >= _FEW_WORDS and (not re.search(r"[/\\]", text) or len(text) > _LONG_PATH)


class Names:
    """How files are called in a collection.

    A file's source is its path from the folder that was ingested, with that folder's name in front: short enough to be
    read by a model, and the same from wherever `ingest` is called. Two folders of the same name are told apart by a
    few letters: `docs/guide.md`, `docs~k3f9/guide.md`. A single file is called as if its folder had been given.

    The folder itself stands, absolute and without links, in the column `root`; a single file's root is the file. What
    is ingested from inside a known root keeps that root and its name, so no file is there twice.

    Args:
        roots: every known root with the source of one of its documents.
    """

    def __init__(self, roots: Iterable[tuple[str, str]]) -> None:
        self._labels: dict[str, str] = {}
        self._owners: dict[str, set[str]] = {}
        for root, source in roots:
            label = source.partition("/")[0]
            owner = str(Path(root).parent) if _is_single(root, source) else root
            self._labels[root] = label
            self._owners.setdefault(label, set()).add(owner)

    def place(self, found: Found) -> "Place":
        """Where a path belongs: to the nearest known root at or above it, else to itself, known from then on."""
        above = (found.path, *found.path.parents)
        root = next((path for path in above if key(path) in self._labels), found.path)
        base = root if found.is_folder or root != found.path else root.parent
        label = self._labels.get(key(root), "")
        if not label or self._owners[label] != {key(base)}:  # unknown, or two ingests at once chose the same
            self._labels[key(root)] = label = self._free_label(base)
            self._owners.setdefault(label, set()).add(key(base))
        return Place(key(root), base, label)

    def _free_label(self, folder: Path) -> str:
        plain, marked = _labels(folder)
        free = self._owners.get(plain, set()) <= {key(folder)} and marked not in self._owners
        return plain if free else marked

    def below(self, path: Path, place: "Place") -> list[str]:
        """The other known roots at or below `path`."""
        return [each for each in self._labels if each != place.root and Path(each).is_relative_to(key(path))]


@dataclass(frozen=True, slots=True)
class Place:
    """Where files belong.

    Attributes:
        root: the folder or single file that was ingested, as it is kept.
        base: that folder, or the file's folder.
        label: how `base` is called.
    """

    root: str
    base: Path
    label: str

    def source(self, path: Path) -> str:
        """How a file or folder in `base` is called."""
        return "/".join([self.label, *map(clean, path.relative_to(self.base).parts)])


def key(path: Path) -> str:
    """A path as it is kept."""
    return clean(str(path))


def file_of(root: str, source: str) -> str:
    """The path of a document's file, as it is kept."""
    return root if _is_single(root, source) else str(Path(root) / source.partition("/")[2])


def _is_single(root: str, source: str) -> bool:
    """Whether a root is a file, judged by what its document is called."""
    label, _, inside = source.partition("/")
    return inside == Path(root).name and label in _labels(Path(root).parent)


def _labels(folder: Path) -> tuple[str, str]:
    """What a folder is called, and what it is called where another one has that name."""
    name = clean(folder.name) or "files"
    mark = b32encode(hashlib.sha256(key(folder).encode()).digest()).decode("ascii").lower()[:4]
    return name, f"{name}~{mark}"
