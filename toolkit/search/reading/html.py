"""Web pages as Markdown: the main text with its headings, lists, tables and code, and where each line came from."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from toolkit.search.reading.alignment import Aligner, Span
from toolkit.search.reading.content import Unreadable
from toolkit.search.reading.writer import Writer

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MOST_WORK = 50_000_000
"""Open elements met at each tag, summed up: a parser looks through all of them, in about 10 ns each."""

MOST_CLONES = 3_000_000
"""Open formatting elements met at each tag, summed up: a parser copies them into every paragraph, 100 bytes each."""

_DROPPED = _names(
    """script style noscript template nav footer svg canvas iframe object embed audio video map
    button select textarea input option datalist head title"""
)
_BLOCKS = _names(
    """address article aside body center dd details dialog div dl dt fieldset figcaption figure form header
    hgroup hr html legend main p section summary tbody tfoot thead"""
)
_DROPPED_ROLES = frozenset({"navigation", "search", "menu", "menubar", "toolbar", "dialog"})
_MAIN = ("main", '[role="main"]', "article")
_MAIN_SHARE = 0.25  # of the page's text, below which what is marked as its main part is not believed
_LANGUAGE = re.compile(r"(?:language|lang|highlight|brush|src)[-: ]\s*([a-z0-9+#]+)", re.IGNORECASE)
_TAGS = re.compile(
    r"<script(?:[^<]|<(?!/script))*+|<style(?:[^<]|<(?!/style))*+|<!--(?:[^-]|-(?!->))*+|<(/?)([a-z][a-z0-9:-]*)",
    re.IGNORECASE,
)
_NOT_NESTED = _names(
    """area base br col embed hr img input link meta param source track wbr p li td th tr dt dd option thead tbody tfoot
    colgroup body html head"""
)
_FORMATS = _names("a b big code em font i nobr s small strike strong tt u")


class Page(NamedTuple):
    """What a page says: Markdown, where its lines came from, its title, and the language of its words (`de`) or ""."""

    text: str
    spans: list[Span]
    title: str
    lang: str


class TooDeep(Unreadable):
    """So many elements are open at once that a parser would take minutes, or memory without end."""


def read_html(text: str) -> Page:
    """The main text of a page.

    Raises:
        TooDeep: nobody wrote this page to be read.
    """
    _check(text)
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - 40 ms that only who reads pages should pay

    tree = LexborHTMLParser(text)
    title = tree.css_first("title")
    root = tree.css_first("html")
    lang = (root.attributes.get("lang") or "") if root is not None else ""
    writer = Writer(Aligner(text))
    for node in _main(tree):
        _write(node, writer)
    lines, spans = writer.finish()
    return Page(
        text="\n".join(lines),
        spans=spans,
        title=" ".join((title.text() if title is not None else "").split()) or writer.first_heading,
        lang=lang.split("-")[0].strip().lower() if lang.isascii() else "",
    )


def _check(text: str) -> None:
    depth = formats = work = clones = 0
    for found in _TAGS.finditer(text):
        name = (found.group(2) or "").lower()
        step = 0 if not name or name in _NOT_NESTED else -1 if found.group(1) else 1
        depth = max(0, depth + step)
        if name in _FORMATS:
            formats = max(0, formats + step)
        work += depth
        clones += formats
    if work > MOST_WORK or clones > MOST_CLONES:
        raise TooDeep("HTML nested too deep")


def _main(tree: "LexborHTMLParser") -> "list[LexborNode]":
    """The parts that are the page's own text: what is marked as such and holds enough of it, else its body."""
    body = tree.body
    if body is None:
        return []
    for selector in _MAIN:
        nodes = tree.css(selector)
        if len(nodes) == 1 and len(nodes[0].text()) >= _MAIN_SHARE * len(body.text()):
            return nodes
    return [body]


def _write(root: "LexborNode", writer: Writer) -> None:
    """Walk below `root` without recursion: a page is as deep as whoever made it liked."""
    for node, enters in _walk(root, writer):
        act = (_BEGIN if enters else _END).get(node.tag or "")
        if act is not None:
            act(writer, node)


_Act: TypeAlias = "Callable[[Writer, LexborNode], object]"
_BEGIN: dict[str, _Act] = {
    **{tag: lambda writer, _: writer.close_block() for tag in _BLOCKS},
    **{f"h{level}": lambda writer, _: writer.close_block() for level in range(1, 7)},
    **{tag: lambda writer, node: writer.open_cell(node.tag or "") for tag in ("tr", "td", "th")},
    **{tag: lambda writer, node: writer.open_list(ordered=node.tag == "ol") for tag in ("ul", "ol", "menu")},
    "li": lambda writer, _: writer.open_item(),
    "pre": lambda writer, node: writer.open_code(_language(node)),
    "table": lambda writer, node: writer.open_table(is_layout=_is_layout(node)),
    "blockquote": lambda writer, _: writer.open_quote(),
    "br": lambda writer, _: writer.break_line(),
    "code": lambda writer, _: writer.mark("`"),
    "img": lambda writer, node: writer.add(node.attributes.get("alt") or "", None),
}
_END: dict[str, _Act] = {
    **{tag: lambda writer, _: writer.close_block() for tag in (*_BLOCKS, "li")},
    **{f"h{level}": lambda writer, node: writer.close_heading(int((node.tag or "h6")[1])) for level in range(1, 7)},
    **{tag: lambda writer, node: writer.close_cell(node.tag or "") for tag in ("tr", "td", "th")},
    **{tag: lambda writer, _: writer.close_list() for tag in ("ul", "ol", "menu")},
    "pre": lambda writer, _: writer.close_code(),
    "table": lambda writer, _: writer.close_table(),
    "blockquote": lambda writer, _: writer.close_quote(),
    "code": lambda writer, _: writer.mark("`"),
}


def _walk(root: "LexborNode", writer: Writer) -> "Iterator[tuple[LexborNode, bool]]":
    """Elements as they begin (True) and end (False); texts go straight to the writer."""
    node: LexborNode | None = root
    while node is not None:
        down = None
        if node.is_text_node:
            writer.add_text(node.text_content or "")
        elif node.is_element_node and not _is_dropped(node):
            yield node, True
            down = node.child
            if down is None:
                yield node, False
        if down is not None:
            node = down
            continue
        while node is not None and node.mem_id != root.mem_id and node.next is None:
            node = node.parent
            if node is not None:
                yield node, False
        node = None if node is None or node.mem_id == root.mem_id else node.next


def _is_dropped(node: "LexborNode") -> bool:
    if node.tag in _DROPPED:
        return True
    attributes = node.attributes
    return bool(attributes) and (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") in _DROPPED_ROLES
        or attributes.get("class") == "headerlink"
    )


def _is_layout(table: "LexborNode") -> bool:
    """Whether a table only puts things beside one another."""
    is_said = table.attributes.get("role") == "presentation"
    return is_said or len(table.css("table")) > 1 or table.css_first("h1, h2, pre") is not None  # itself is one


def _language(pre: "LexborNode") -> str:
    """The programming language that a block of code, what it holds or what holds it is marked with."""
    inner = pre.child
    while inner is not None and inner.is_text_node:
        inner = inner.next
    parent = pre.parent
    around = [pre, inner, parent, parent.parent if parent is not None else None]
    for node in around:
        if node is not None and node.is_element_node:
            said = _LANGUAGE.search(node.attributes.get("class") or "")
            if said and said.group(1).lower() not in ("default", "none", "text"):
                return said.group(1).lower()
    return ""
