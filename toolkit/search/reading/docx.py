"""Word files as Markdown: paragraphs, headings, lists, tables and notes."""

from collections.abc import Mapping

from toolkit.search.reading.content import MOST_TEXT, Content, Unreadable
from toolkit.search.reading.package import Package
from toolkit.search.reading.writer import Writer

_WHAT = "a DOCX file"
_HEADING = "heading "
_MOST_LEVEL = 6
_LEFT_OUT = frozenset({"del", "moveFrom", "Fallback", "instrText", "delText", "pict", "sectPr", "rPr"})


def read_docx(data: bytes) -> Content:
    """The text of a Word file, without what was deleted, and without headers and footers.

    Raises:
        Unreadable: it is none, is encrypted, or would unpack to more than anybody reads.
    """
    package = Package(data, _WHAT)
    main = package.main("word/document.xml")
    parts = dict(package.relations(main).values())
    levels = _levels(package, parts["styles"]) if parts.get("styles", "") in package else {}
    writer = Writer()
    title = _Body(package, main, levels, writer).title
    for notes in ("footnotes", "endnotes"):
        if parts.get(notes, "") in package:
            _Body(package, parts[notes], {}, writer)
    lines, _ = writer.finish()
    return Content("\n".join(lines), package.title() or title or writer.first_heading)


def _levels(package: Package, name: str) -> dict[str, int]:
    """The styles that are headings, by id: 0 is the title, 1 to 6 the levels below it."""
    levels: dict[str, int] = {}
    based: dict[str, str] = {}
    own = ""

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal own
        said = attributes.get("val", "")
        if tag == "style":
            own = attributes.get("styleId", "")
        elif tag == "name" and said.lower() == "title":
            levels[own] = 0
        elif tag == "name" and said.lower().startswith(_HEADING) and said[len(_HEADING) :].isdecimal():
            levels[own] = min(int(said[len(_HEADING) :][:3]), _MOST_LEVEL)
        elif tag == "outlineLvl" and said.isdecimal() and int(said[:3]) < _MOST_LEVEL:
            levels.setdefault(own, int(said) + 1)
        elif tag == "basedOn":
            based[own] = said

    package.parse(name, start)
    for style, base in based.items():
        if base in levels:
            levels.setdefault(style, levels[base])
    return levels


class _Body:
    """Writes a part of a Word file as its elements come."""

    def __init__(self, package: Package, name: str, levels: Mapping[str, int], writer: Writer) -> None:
        self.title = ""
        self._levels = levels
        self._writer = writer
        self._skipped = 0
        self._level: int | None = None
        self._in_list = False
        self._in_run = self._in_text = False
        self._size = 0
        package.parse(name, self._start, self._end, self._text)

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self._skipped or tag in _LEFT_OUT:
            self._skipped += 1
            return
        writer, said = self._writer, attributes.get("val", "")
        if tag == "p":
            writer.close_block()
            self._level, self._in_list = None, False
        elif tag == "pStyle":
            self._level = self._levels.get(said)
        elif tag == "outlineLvl" and said.isdecimal() and int(said[:3]) < _MOST_LEVEL:
            self._level = int(said) + 1
        elif tag == "numPr":
            self._in_list = True
        elif tag == "r":
            self._in_run = True
        elif tag == "t":
            self._in_text = True
        elif self._in_run and tag in ("tab", "br", "cr", "noBreakHyphen"):
            self._space(tag)
        elif tag in ("tbl", "tr", "tc"):
            self._table(tag, begins=True)

    def _end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif tag == "p":
            self._end_paragraph()
        elif tag == "r":
            self._in_run = False
        elif tag == "t":
            self._in_text = False
        elif tag in ("tbl", "tr", "tc"):
            self._table(tag, begins=False)

    def _text(self, data: str) -> None:
        if self._in_text and not self._skipped:
            self._size += len(data)
            if self._size > MOST_TEXT:
                raise Unreadable(f"{_WHAT} of more than {MOST_TEXT // 1_000_000} million characters")
            self._writer.add(data, None)

    def _space(self, tag: str) -> None:
        if tag == "noBreakHyphen":
            self._writer.add("-", None)
        elif tag == "tab":
            self._writer.add(" ", None)
        else:
            self._writer.break_line()

    def _table(self, tag: str, *, begins: bool) -> None:
        writer = self._writer
        if tag == "tbl":
            writer.open_table(is_layout=False) if begins else writer.close_table()
        else:
            name = "tr" if tag == "tr" else "td"
            writer.open_cell(name) if begins else writer.close_cell(name)

    def _end_paragraph(self) -> None:
        level, self._level = self._level, None
        if level is not None:
            written = self._writer.close_heading(max(1, level))
            self.title = self.title or (written if level == 0 else "")
        elif self._in_list:
            self._writer.close_item()
        else:
            self._writer.end_items()
            self._writer.close_block()
