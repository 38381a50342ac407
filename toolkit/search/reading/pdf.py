"""PDF, page by page, by PDFium.

PDFium was measured beside pypdf: the same words on Latin pages, at ten times the speed, and it tells a hyphen at the
end of a line from one that belongs to the word. It is written in C++, so a file is read in a child process.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any

from toolkit.search.documents import SourceMap
from toolkit.search.reading.content import MOST_TEXT, Content, Unreadable

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

MOST_PAGES = 10_000

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_HYPHEN = re.compile("[\x02\ufffe]\r?\n?")  # what PDFium writes for a hyphen that only ends a line
_NUMBER = re.compile(r"\d+")
_MOST_OUTLINE = 5_000
_FEW_PAGES = 4  # from which on a line at the edge of most of them is no text but a running head
_PASSWORD = 4  # PDFium's error code

_one_at_a_time = Lock()  # PDFium is not made for threads


def read_pdf(data: bytes) -> Content:
    """The text of a PDF; its outline says under which headings the pages stand.

    Raises:
        Unreadable: it is damaged, encrypted, or has no text.
    """
    from pypdfium2 import PdfDocument, PdfiumError  # noqa: PLC0415 - 60 ms that only who reads a PDF should pay

    with _one_at_a_time:
        try:
            pdf = PdfDocument(data)
        except PdfiumError as error:
            raise Unreadable(
                "an encrypted PDF" if getattr(error, "err_code", 0) == _PASSWORD else "a damaged PDF"
            ) from None
        try:
            pages = list(_pages(pdf))
            outline = _outline(pdf, len(pages))
            title = str(pdf.get_metadata_value("Title") or "")
        except PdfiumError:
            raise Unreadable("a damaged PDF") from None
        finally:
            pdf.close()
    return _content(_without_running_heads(pages), outline, " ".join(_CONTROL.sub("", title).split()))


def _pages(pdf: "PdfDocument") -> Iterator[list[str]]:
    """The lines of each page; of a page that cannot be read none."""
    from pypdfium2 import PdfiumError  # noqa: PLC0415 - as above

    if len(pdf) > MOST_PAGES:
        raise Unreadable(f"a PDF of more than {MOST_PAGES:,} pages")
    size = 0
    for number in range(len(pdf)):
        try:
            page = pdf[number]
            text_page = page.get_textpage()
            text = text_page.get_text_bounded()
            text_page.close()
            page.close()
        except PdfiumError:
            text = ""
        size += len(text)
        if size > MOST_TEXT:
            raise Unreadable(f"a PDF of more than {MOST_TEXT // 1_000_000} million characters")
        text = _HYPHEN.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
        yield [line.rstrip() for line in _CONTROL.sub("", text).split("\n")]


def _without_running_heads(pages: Sequence[list[str]]) -> list[list[str]]:
    """The pages without the lines at their top and bottom that most of them have, whatever the page's number is."""
    filled = [page for page in pages if any(page)]
    if len(filled) < _FEW_PAGES:
        return list(pages)
    edges = Counter(mark for page in filled for mark in {_mark(page[0]), _mark(page[-1])})
    running = {mark for mark, count in edges.items() if mark and count > len(filled) / 2}
    return [
        [line for n, line in enumerate(page) if n not in (0, len(page) - 1) or _mark(line) not in running]
        for page in pages
    ]


def _mark(line: str) -> str:
    return _NUMBER.sub("#", line.strip())


def _outline(pdf: "PdfDocument", pages: int) -> list[tuple[int, int, str]]:
    """`(page, level, title)` of each bookmark that leads to a page; pages and levels are counted from 0."""
    found = []
    for mark in islice(_bookmarks(pdf), _MOST_OUTLINE):
        to = mark.get_dest()
        page = to.get_index() if to else None
        title = " ".join(_CONTROL.sub("", mark.get_title() or "").split())[:120]
        if page is not None and 0 <= page < pages and title:
            found.append((page, int(mark.level), title))
    return sorted(found, key=lambda each: each[0])  # stable: of one page in the order of the outline


def _bookmarks(pdf: "PdfDocument") -> Iterator[Any]:
    yield from pdf.get_toc()


def _content(pages: Sequence[list[str]], outline: Sequence[tuple[int, int, str]], title: str) -> Content:
    lines: list[str] = []
    places: list[tuple[int, str, int, str]] = []
    headings: list[tuple[int, tuple[str, ...]]] = []
    path: list[tuple[int, str]] = []
    marks = list(outline)
    for number, page in enumerate(pages):
        first = len(lines) + 1
        places.append((first, "page", number + 1, ""))
        at = 0
        while marks and marks[0][0] <= number:
            _, level, name = marks.pop(0)
            path = [*((n, each) for n, each in path if n < level), (level, name)]
            at = _stands(page, name, at)
            headings.append((first + at, tuple(each for _, each in path)))
        lines += [*page, ""]
    if not any(line.strip() for line in lines):
        raise Unreadable("a PDF without text (scanned pages)" if pages else "empty")
    source_map = SourceMap(places=places, outline=_last_of_each(headings))
    return Content("\n".join(lines[:-1]), title, source_map=source_map)


def _stands(page: Sequence[str], name: str, start: int) -> int:
    """The line of a page, from `start` on, on which a heading stands; `start` if none says it."""
    wanted = "".join(name.split()).casefold()
    return next((n for n in range(start, len(page)) if wanted in "".join(page[n].split()).casefold()), start)


def _last_of_each(headings: Sequence[tuple[int, tuple[str, ...]]]) -> list[tuple[int, tuple[str, ...]]]:
    return list(dict(headings).items())
