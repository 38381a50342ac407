"""Markdown as HTML that may stand in a notebook, although a model wrote it.

JupyterLab runs what stands in HTML and in its own Markdown, and fetches their pictures; and its MathJax sets what
stands between dollars in an output, with links that run. So raw HTML is shown as text, there are no pictures, links
lead outside and only to the web or to mail, formulas are set here, MathJax is told to stay away, and what is left goes
through an allow-list.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

from toolkit.display.code import CLASSES, FENCE, closes, code_block
from toolkit.display.math import ATTRIBUTES, formulas
from toolkit.display.math import TAGS as MATHML

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

MOST_CHARACTERS: Final = 200_000
"""A longer text is shown as it is."""

UNTYPESET: Final = "tex2jax_ignore mathjax_ignore"
"""Classes that keep MathJax away from what is inside."""

_TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li", "div", "span"),
    *("strong", "em", "s", "code", "pre", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
_REFERENCE = re.compile(r"^[ >*+-]*\[[^\]\n]*\]:", re.MULTILINE)
_ITEM = re.compile(r"(?!([-*])[ \t]*(?:\1[ \t]*){2,}$)(?:[-*+]|\d{1,9}[.)])(?: {1,4}|$)")
_TASK = re.compile(r"\[([ xX])\]\s+")


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code in Markdown.

    Attributes:
        first: its first line, counted from 0.
        end: the line behind its last one.
        info: what stands behind the opening fence, mostly a language.
        code: what is in it.
        nested: it stands in a list or a quotation.
    """

    first: int
    end: int
    info: str
    code: str
    nested: bool


def render(markdown: str) -> str:
    """`markdown` as safe HTML; as escaped plain text where the extra `notebook` is not installed."""
    return _renderer()(markdown)


def pieces(markdown: str) -> list[str]:
    """`markdown`, whose lines end in newlines, cut between blocks: each piece means by itself what it means here.

    Only the last piece of a growing answer changes, so that the others need not be rendered again at each word.
    """
    if _REFERENCE.search(markdown):
        return [markdown]  # it gives a link its address from afar
    cuts, place, fence, after_blank = [0], 0, "", False
    inset = 0  # of what belongs to the last item of a list; -1 where there may be none any more
    for line in markdown.split("\n"):
        item = _ITEM.match(line)
        if not fence and after_blank and line[:1].strip() and not (item and inset):
            cuts.append(place)
            inset = 0
        if fence:
            fence = "" if closes(line, fence) else fence
        elif found := FENCE.match(line):
            if found["inset"] and not len(found["inset"]) >= inset > 0:
                break  # where it ends depends on what it stands in
            if not found["inset"]:
                fence, inset = found["fence"], -bool(inset)
        elif item:
            inset = len(item[0])
        elif inset and line.strip() and line[: abs(inset)].strip():
            inset = -1
        after_blank = not line.strip(" \t")
        place += len(line) + 1
    return [markdown[start:end] for start, end in zip(cuts, [*cuts[1:], len(markdown)], strict=True)]


def fences(markdown: str) -> list[Fence]:
    """The blocks of code that fences mark, in their order; none where the extra `notebook` is not installed."""
    try:
        from markdown_it import MarkdownIt  # noqa: PLC0415 - of an extra that may be missing
    except ImportError:
        return []
    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(markdown)
    return [
        Fence(token.map[0], token.map[1], token.info.strip(), token.content, nested=token.level > 0)
        for token in tokens
        if token.type == "fence" and token.map
    ]


def as_text(text: str) -> str:
    """`text` as it is, every character of it."""
    return f'<pre class="toolkit-text {UNTYPESET}">{escape(text)}</pre>'


@cache
def _renderer() -> Callable[[str], str]:
    try:
        import nh3  # noqa: PLC0415 - of an extra that may be missing

        parser = _parser()
    except ImportError:
        return as_text
    cleaner = nh3.Cleaner(
        tags=_TAGS | MATHML,
        attributes={
            "a": {"href", "title"},
            "ol": {"start"},
            "th": {"style"},
            "td": {"style"},
            "span": {"role", "aria-label"},
            **{tag: set(ATTRIBUTES) for tag in MATHML},
        },
        tag_attribute_values={"pre": {"tabindex": {"0"}}, "div": {"tabindex": {"0"}}},
        allowed_classes={
            "div": {"toolkit-code", "toolkit-language", "toolkit-formula"},
            "span": set(CLASSES),
            "li": {"toolkit-task"},
        },
        filter_style_properties={"text-align"},
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )

    def rendered(piece: str, growing: bool = True) -> str:
        return cleaner.clean(parser.render(piece, {"growing": growing}))

    finished = lru_cache(256)(lambda piece: rendered(piece, False))

    def whole(markdown: str) -> str:
        if len(markdown) > MOST_CHARACTERS:
            return as_text(markdown)
        text = markdown.encode("utf-8", "replace").decode("utf-8")  # half a pair of surrogates is no text
        *before, last = pieces(text.replace("\r\n", "\n").replace("\r", "\n"))
        html = "".join(map(finished, before)) + rendered(last)
        return f'<div class="toolkit-markdown {UNTYPESET}">{html}</div>'

    return whole


def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # noqa: PLC0415 - of an extra that may be missing

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")
    formulas(parser)
    parser.core.ruler.push("tasks", _mark_tasks)
    parser.add_render_rule("fence", lambda _self, tokens, at, _options, env: _fence(tokens[at], env))
    parser.add_render_rule("code_block", lambda _self, tokens, at, *_: code_block(tokens[at].content))
    parser.add_render_rule("task", lambda _self, tokens, at, *_: _box(tokens[at].info))
    return parser


def _fence(token: Any, env: Mapping[str, Any]) -> str:
    first, end = token.map
    lines = token.content.count("\n") + (not token.content.endswith("\n"))
    return code_block(token.content, token.info, growing=lines > end - first - 2 and bool(env.get("growing")))


def _mark_tasks(state: Any) -> None:
    """Make boxes of the `[ ]` and `[x]` that items of lists begin with."""
    tokens: Sequence[Any] = state.tokens
    for item, _, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type != "list_item_open" or inline.type != "inline" or not inline.children:
            continue
        text = inline.children[0]
        if text.type == "text" and (found := _TASK.match(inline.content)) and text.content.startswith(found[0]):
            item.attrSet("class", "toolkit-task")
            text.content = text.content[found.end() :]
            inline.children.insert(0, type(text)("task", "", 0, info=found[1]))


def _box(mark: str) -> str:
    done = mark != " "
    return f'<span role="img" aria-label="{"done" if done else "to do"}">{"☑" if done else "☐"}</span> '
