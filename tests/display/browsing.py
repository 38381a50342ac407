"""What a browser would make of HTML."""

from collections import defaultdict
from html.parser import HTMLParser


class Seen(HTMLParser):
    """Elements, attributes and text of a piece of HTML.

    Attributes:
        names: of the elements.
        attributes: the values of each attribute.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: dict[str, list[str]] = defaultdict(list)
        self._open: list[str] = []
        self._texts: list[tuple[tuple[str, ...], str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        if tag not in ("br", "hr"):
            self._open.append(tag)
        for name, value in attrs:
            self.attributes[name].append(value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("br", "hr"):
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self._texts.append((tuple(self._open[-6:]), data))

    def text_of(self, tag: str) -> str:
        """All the text inside elements of this name."""
        return "".join(text for path, text in self._texts if tag in path)
