"""A web page with the way from its lines back to the bytes of its source."""

from toolkit.search.documents import SourceMap
from toolkit.search.reading.content import Content
from toolkit.search.reading.decoding import Decoded
from toolkit.search.reading.html import read_html
from toolkit.search.reading.lines import Places


def read_page(decoded: Decoded) -> Content:
    """The main text of a page, with its title and the language of its words.

    Raises:
        Unreadable: nobody wrote this page to be read.
    """
    page = read_html(decoded.text)
    places = Places(decoded)
    found = [(-1, -1, 0, 0) if span is None else places.span(*span) for span in page.spans]
    if not found:
        return Content("")
    line = next((first for _, _, first, _ in found if first), 1)
    lines = []
    for start, end, first, last in found:
        line = last or line  # what is not found stands where the line before it ends
        lines.append((start, end, first or line, line))
    starts, ends, firsts, lasts = zip(*lines, strict=True)
    known = SourceMap(starts, ends, firsts, lasts, verbatim=False)
    return Content(page.text, page.title, metadata={"lang": page.lang} if page.lang else {}, source_map=known)
