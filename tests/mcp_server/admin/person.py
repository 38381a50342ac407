"""A person with a browser of 1999: it follows links and sends forms, and has never heard of JavaScript."""

from typing import Any, Self
from urllib.parse import urljoin

import httpx2
from selectolax.lexbor import LexborHTMLParser, LexborNode


class Page:
    """A page that was read.

    Args:
        answer: of the server.
    """

    def __init__(self, answer: httpx2.Response) -> None:
        self.status = answer.status_code
        self.path = str(answer.url.raw_path, "ascii")
        self.headers = answer.headers
        self.source = answer.text
        self.tree = LexborHTMLParser(answer.text)

    def all(self, selector: str) -> list[str]:
        """What a person reads in each element, on one line each."""
        return [" ".join(node.text().split()) for node in self.tree.css(selector)]

    def one(self, selector: str) -> str:
        """The same of the only one."""
        [text] = self.all(selector)
        return text

    def attribute(self, selector: str, name: str) -> str | None:
        """What the only such element says."""
        [node] = self.tree.css(selector)
        return node.attributes[name]

    def value(self, name: str) -> str:
        """What stands in a field."""
        [node] = self.tree.css(f"[name='{name}']")
        return _value(node) or ""

    def row(self, name: str) -> LexborNode:
        """The model of that name in the list."""
        [row] = [node for node in self.tree.css("tr[data-id]") if _text(node, ".name a") == name]
        return row

    def chain(self) -> list[str]:
        """Who is asked, in order."""
        return self.all(".chain > li > a")


class Person:
    """Goes from page to page.

    Args:
        url: of the server.
        headers: sent with every request.
    """

    def __init__(self, url: str, **headers: str) -> None:
        self.client = httpx2.Client(base_url=url, follow_redirects=True, timeout=30, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def go(self, path: str) -> Page:
        """Open a page."""
        return Page(self.client.get(path))

    def press(self, page: Page, button: str, *, within: str = "main", **typed: Any) -> Page:
        """Type something and press a button.

        Args:
            page: where.
            button: its label; what screen readers read counts, too.
            within: the part of the page that has it.
            typed: what is typed or chosen, by field; None empties a field or takes a tick away, a list ticks these.
        """
        [root] = page.tree.css(within)
        found = [node for node in root.css("button") if button in (_label(node), node.attributes.get("aria-label"))]
        assert len(found) == 1, f"{len(found)} buttons {button!r} in {[_label(each) for each in root.css('button')]}"
        return self.send(page, found[0], typed)

    def send(self, page: Page, button: LexborNode, typed: dict[str, Any]) -> Page:
        """Send the form that a button belongs to."""
        form = _form(button)
        fields: list[tuple[str, str]] = []
        for node in form.css("input, select, textarea"):
            name = node.attributes.get("name")
            if name and name not in typed and (value := _value(node)) is not None:
                fields.append((name, value))
        for name, value in typed.items():
            fields += [(name, each) for each in (value if isinstance(value, list) else [value]) if each is not None]
        if name := button.attributes.get("name"):
            fields.append((name, button.attributes.get("value") or ""))
        action = button.attributes.get("formaction") or form.attributes.get("action") or page.path
        method = (form.attributes.get("method") or "get").upper()
        sent: dict[str, Any] = {}
        for name, value in fields:
            sent.setdefault(name, []).append(value)
        where = urljoin(page.path, action)
        if method == "GET":
            return Page(self.client.get(where, params=sent))
        return Page(self.client.post(where, data=sent))


def _form(node: LexborNode) -> LexborNode:
    found: LexborNode | None = node
    while found is not None and found.tag != "form":
        found = found.parent
    assert found is not None
    return found


def _label(node: LexborNode) -> str:
    return " ".join(node.text().split())


def _text(node: LexborNode, selector: str) -> str:
    found = node.css_first(selector)
    return found.text().strip() if found else ""


def _value(node: LexborNode) -> str | None:
    """What a browser would send for a field; None for nothing."""
    attributes = node.attributes
    if node.tag == "select":
        options = node.css("option")
        chosen = next((each for each in options if "selected" in each.attributes), options[0])
        value = chosen.attributes.get("value")
        return chosen.text() if value is None else value
    if node.tag == "textarea":
        return node.text()
    if attributes.get("type") in ("checkbox", "radio"):
        return (attributes.get("value") or "on") if "checked" in attributes else None
    return None if attributes.get("type") == "file" else attributes.get("value") or ""
