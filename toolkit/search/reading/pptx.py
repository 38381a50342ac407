"""Slides: their titles, texts, tables and speaker's notes."""

from collections.abc import Mapping

from toolkit.search.documents import SourceMap
from toolkit.search.reading.content import MOST_TEXT, Content, Unreadable
from toolkit.search.reading.package import Package, plain_cell

_WHAT = "a PPTX file"
_TITLES = frozenset({"title", "ctrTitle"})
_NOT_TEXT = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})  # placeholders that a template fills


def read_pptx(data: bytes) -> Content:
    """The text of the slides, in their order.

    Raises:
        Unreadable: it is no such file, is encrypted, or would unpack to more than anybody reads.
    """
    package = Package(data, _WHAT)
    main = package.main("ppt/presentation.xml")
    related = package.relations(main)
    lines: list[str] = []
    places: list[tuple[int, str, int, str]] = []
    outline: list[tuple[int, tuple[str, ...]]] = []
    size = 0
    for number, name in enumerate(_order(package, main, related), 1):
        slide = _Shapes(package, name)
        texts = slide.lines
        for kind, notes in package.relations(name).values():
            if kind == "notesSlide" and notes in package and (said := _Shapes(package, notes).lines):
                texts = [*texts, "", "Notes:", *said]
        size += sum(map(len, texts))
        if size > MOST_TEXT:
            raise Unreadable(f"{_WHAT} of more than {MOST_TEXT // 1_000_000} million characters")
        places.append((len(lines) + 1, "slide", number, ""))
        outline.append((len(lines) + 1, (slide.title,) if slide.title else ()))
        lines += [*texts, ""]
    title = package.title() or next((path[0] for _, path in outline if path), "")
    return Content("\n".join(lines[:-1]), title, source_map=SourceMap(places=places, outline=outline))


def _order(package: Package, main: str, related: Mapping[str, tuple[str, str]]) -> list[str]:
    ids: list[str] = []

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "sldId":
            ids.append(attributes.get("id", ""))

    package.parse(main, start)
    return [related[each][1] for each in ids if each in related and related[each][1] in package]


class _Shapes:
    """The lines of a slide, as its elements come; the title comes first, whatever shape it is."""

    def __init__(self, package: Package, name: str) -> None:
        self.title = ""
        self._lines: list[str] = []
        self._words: list[str] = []
        self._cells: list[str] | None = None
        self._cell: list[str] = []
        self._kind = ""
        self._in_text = False
        package.parse(name, self._start, self._end, self._text)

    @property
    def lines(self) -> list[str]:
        """The title, and the other lines."""
        return [self.title, *self._lines] if self.title else self._lines

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "sp":
            self._kind = ""
        elif tag == "ph":
            self._kind = attributes.get("type", "body")
        elif tag == "tr":
            self._cells = []
        elif tag == "tc":
            self._cell = []
        elif tag == "t":
            self._in_text = True
        elif tag in ("br", "tab"):
            self._words.append(" ")

    def _end(self, tag: str) -> None:
        if tag == "t":
            self._in_text = False
        elif tag == "p":
            self._paragraph(plain_cell("".join(self._words)))
            self._words = []
        elif tag == "tc" and self._cells is not None:
            self._cells.append(" ".join(self._cell))
        elif tag == "tr" and self._cells is not None:
            if any(self._cells):
                self._lines.append(f"| {' | '.join(self._cells)} |")
            self._cells = None

    def _paragraph(self, text: str) -> None:
        if not text or self._kind in _NOT_TEXT:
            return
        if self._cells is not None:
            self._cell.append(text)
        elif self._kind in _TITLES:
            self.title = f"{self.title} {text}".strip()
        else:
            self._lines.append(text)

    def _text(self, data: str) -> None:
        if self._in_text:
            self._words.append(data)
