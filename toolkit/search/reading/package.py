"""Office files are zip files of XML: the parts of one, read with a limit to each thing that can be without end.

The standard library reads both; python-docx, python-pptx and openpyxl would bring lxml and build a tree of everything.
"""

import re
from collections.abc import Callable, Mapping
from io import BytesIO
from posixpath import dirname, join, normpath
from typing import TypeAlias
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812 - zlib calls it so

from toolkit.search.reading.content import Unreadable

MOST_UNPACKED = 200_000_000
"""Bytes of all parts that are read of one file."""

MOST_DEPTH = 1_000
"""Elements within one another; Word writes some 30."""

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BLOCK = 1 << 16
_ENCRYPTED = 0x1
_BROKEN = (expat.ExpatError, BadZipFile, ZlibError, OSError, EOFError, ValueError, RuntimeError)

OnStart: TypeAlias = Callable[[str, Mapping[str, str]], None]
OnEnd: TypeAlias = Callable[[str], None]
OnText: TypeAlias = Callable[[str], None]


class Package:
    """The parts of an Office file.

    Args:
        data: its bytes.
        what: how it is called to people: `"a DOCX file"`.

    Raises:
        Unreadable: it is damaged, encrypted or something else.
    """

    def __init__(self, data: bytes, what: str) -> None:
        if data.startswith(_OLD_OFFICE):
            raise Unreadable("encrypted, or of an Office before 2007")
        self._what = what
        self._left = MOST_UNPACKED
        try:
            self._zip = ZipFile(BytesIO(data))
        except (BadZipFile, ValueError, NotImplementedError, OSError, EOFError):
            raise Unreadable(f"not {what}, or a damaged one") from None
        self._names = {info.filename: info for info in self._zip.infolist()}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def parse(self, name: str, start: OnStart, end: OnEnd | None = None, text: OnText | None = None) -> None:
        """Tell the elements of a part as they come, by their names without namespace.

        Raises:
            Unreadable: there is no such part, it is no XML, declares entities, is too deep or too large.
        """
        depth = 0

        def on_start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth > MOST_DEPTH:
                raise Unreadable(f"{self._what} with XML nested too deep")
            # Of two attributes of the same name, that of a namespace is the reference to another part.
            ordered = sorted(attributes.items(), key=lambda each: "}" in each[0])
            start(_local(tag), {_local(key): value for key, value in ordered})

        def on_end(tag: str) -> None:
            nonlocal depth
            depth -= 1
            if end is not None:
                end(_local(tag))

        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = on_start
        parser.EndElementHandler = on_end
        if text is not None:
            parser.CharacterDataHandler = text
        # Office writes no DTD; who does wants entities, and with them a file that grows without end.
        parser.StartDoctypeDeclHandler = self._refuse
        self._feed(name, parser)

    def _feed(self, name: str, parser: "expat.XMLParserType") -> None:
        info = self._names.get(name)
        if info is None:
            raise Unreadable(f"not {self._what}, or a damaged one")
        if info.flag_bits & _ENCRYPTED:
            raise Unreadable(f"{self._what} that is encrypted")
        try:
            with self._zip.open(info) as part:
                while block := part.read(_BLOCK):
                    self._left -= len(block)
                    if self._left < 0:
                        raise Unreadable(f"{self._what} that unpacks to more than {MOST_UNPACKED // 1_000_000} MB")
                    parser.Parse(block, False)
                parser.Parse(b"", True)
        except _BROKEN:
            raise Unreadable(f"not {self._what}, or a damaged one") from None

    def _refuse(self, *_: object) -> None:
        raise Unreadable(f"{self._what} with a DTD in its XML")

    def relations(self, name: str) -> dict[str, tuple[str, str]]:
        """What a part refers to: id to kind (`slide`) and name of the part."""
        found: dict[str, tuple[str, str]] = {}
        folder = dirname(name)

        def start(tag: str, attributes: Mapping[str, str]) -> None:
            if tag == "Relationship" and attributes.get("TargetMode") != "External":
                target = attributes.get("Target", "")
                path = target.lstrip("/") if target.startswith("/") else normpath(join(folder, target))
                found[attributes.get("Id", "")] = (attributes.get("Type", "").rpartition("/")[2], path)

        part = join(folder, "_rels", name.rpartition("/")[2] + ".rels")
        if part in self:
            self.parse(part, start)
        return found

    def main(self, otherwise: str) -> str:
        """The name of the part with which reading begins."""
        return next((to for kind, to in self.relations("").values() if kind == "officeDocument"), otherwise)

    def title(self) -> str:
        """The title in the file's properties; empty without one."""
        words: list[str] = []
        inside = ""

        def start(tag: str, _: Mapping[str, str]) -> None:
            nonlocal inside
            inside = tag

        def end(_: str) -> None:
            nonlocal inside
            inside = ""

        def text(data: str) -> None:
            if inside == "title":
                words.append(data)

        if "docProps/core.xml" in self:
            self.parse("docProps/core.xml", start, end, text)
        return " ".join("".join(words).split())


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def plain_cell(text: str) -> str:
    """What stands in a cell, on one line."""
    return re.sub(r"\s+", " ", text).strip()
