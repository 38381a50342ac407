r"""Formulas in LaTeX as MathML, which a browser sets without a script.

`mathml` makes the one of the other, and `formulas` has markdown-it find them: `$…$` and `\(…\)` in a line, `$$…$$` and
`\[…\]` on lines of their own. latex2mathml passes on what stands in a formula as it is, tags and styles too; so here
its tree is written anew, from lists of what may be in it.
"""

import re
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

MOST_CHARACTERS: Final = 2_000
"""A longer formula is shown as it is written."""

DEEPEST: Final = 60
"""How many elements may stand in one another."""

TAGS: Final = frozenset(
    {
        *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup"),
        *("munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose"),
    }
)
ATTRIBUTES: Final = frozenset(
    {
        *("display", "displaystyle", "scriptlevel", "stretchy", "fence", "form", "separator", "symmetric", "largeop"),
        *("movablelimits", "accent", "accentunder", "minsize", "maxsize", "lspace", "rspace", "width", "height"),
        *("depth", "voffset", "linethickness", "columnalign", "columnlines", "rowlines", "columnspacing"),
        *("mathvariant", "notation"),
    }
)
_CHILDREN: Final = {
    **dict.fromkeys(("mfrac", "mroot", "msub", "msup", "munder", "mover"), 2),
    **dict.fromkeys(("msubsup", "munderover"), 3),
}
_LENGTH = r"[-+]?(\d?(\.\d{1,4})?(em|ex)?|\d{1,2}(\.\d{1,4})?(mu|px|pt))"
_VALUE = re.compile(rf"[a-z -]{{1,60}}|{_LENGTH}( {_LENGTH})*")  # a long way would lead over what stands beside it
_CHARACTER = re.compile(r"&#x([0-9A-Fa-f]{1,6});")
# What defines, links, styles, or names a character by its number: none of it belongs into a formula of an answer.
_REFUSED = re.compile(
    r"\\(newcommand|renewcommand|newenvironment|def|let|DeclareMathOperator|href|class|style|unicode)(?![A-Za-z])"
)
_PROSE = re.compile(r"(?=[^\\^_={}<>+*]*$).*([A-Za-z]{3,}\s|\s[A-Za-z]{3,})", re.DOTALL)
_NUMBER = re.compile(r"[\d\s,–-]*")
_CLOSING = {"$$": "$$", "\\(": "\\)", "\\[": "\\]"}


@lru_cache(1024)  # a growing answer is rendered many times a second
def mathml(latex: str, *, block: bool) -> str | None:
    """`latex` as MathML; None if it is too long, too deep, or not understood."""
    if len(latex) > MOST_CHARACTERS or not latex.strip() or _REFUSED.search(latex):
        return None
    try:
        from latex2mathml.converter import convert_to_element  # noqa: PLC0415 - of an extra that may be missing

        written = _written(convert_to_element(latex.strip(), display="block" if block else "inline"), DEEPEST)
        written.encode()  # a number may name half a character, which is none
    except Exception:  # noqa: BLE001 - it raises whatever its parser meets, IndexError and RecursionError too
        return None
    return written


def formulas(parser: "MarkdownIt") -> None:
    """Teach `parser` what a formula is, before Markdown's own rules see it."""
    parser.inline.ruler.before("escape", "formula", _inline)
    parser.block.ruler.before(
        "fence", "formula", _block, {"alt": ["paragraph", "reference", "blockquote", "list", "table"]}
    )
    parser.add_render_rule("formula", lambda _self, tokens, at, *_: _shown(tokens[at]))


def _written(element: Any, depth: int) -> str:
    """An element of the tree as markup, without what is not on the lists.

    Raises:
        ValueError: it holds what was not understood, or goes too deep.
    """
    text = _CHARACTER.sub(lambda found: chr(int(found[1], 16)), element.text or "")
    if text.startswith("\\") or not depth or _CHILDREN.get(element.tag, len(element)) != len(element):
        raise ValueError(text)
    inner = escape(text, quote=False) + "".join(_written(child, depth - 1) for child in element)
    if element.tag not in TAGS:
        return inner
    given = "".join(
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if name in ATTRIBUTES and _VALUE.fullmatch(str(value))
    )
    return f"<{element.tag}{given}>{inner}</{element.tag}>"


def _shown(token: Any) -> str:
    written = mathml(token.content, block=token.block) if token.info == "whole" else None
    if written is None:
        source = f"<code>{escape(token.markup + token.content + token.meta['closing'])}</code>"
        return f"<p>{source}</p>\n" if token.block else source
    return f'<div class="toolkit-formula" tabindex="0">{written}</div>\n' if token.block else written


def _inline(state: "StateInline", silent: bool) -> bool:
    source, start = state.src, state.pos
    opening = "$" if source[start] == "$" and source[start + 1 : start + 2] != "$" else source[start : start + 2]
    inside = start + len(opening)
    end = _end_of_price(source, start) if opening == "$" else _end(source, opening, inside)
    if end is None or not (content := source[inside:end]).strip():
        return False
    closing = _CLOSING.get(opening, "$")
    follows = source[end + len(closing) : end + len(closing) + 1]
    if _PROSE.match(content) or (opening in ("\\(", "\\[") and (follows == "(" or _NUMBER.fullmatch(content))):
        return False  # brackets that were escaped, or sums of money
    if not silent:
        token = state.push("formula", "", 0)
        token.content, token.markup, token.info, token.meta = content, opening, "whole", {"closing": closing}
    state.pos = end + len(closing)
    return True


def _end(source: str, opening: str, start: int) -> int | None:
    if opening not in _CLOSING:
        return None
    end = source.find(_CLOSING[opening], start, start + MOST_CHARACTERS)
    return end if end > start else None


def _end_of_price(source: str, start: int) -> int | None:
    """Where the formula ends that a single dollar may begin; None if it is no more than a dollar."""
    if source[start - 1 : start].isalnum() or source[start + 1 : start + 2].isspace():
        return None
    end = source.find("$", start + 1)
    while end > 0 and source[end - 1] == "\\":
        end = source.find("$", end + 1)
    if end < 0 or source[end - 1].isspace() or source[end + 1 : end + 2].isalnum():
        return None
    return end


def _block(state: "StateBlock", first: int, last: int, silent: bool) -> bool:
    if state.is_code_block(first):
        return False
    start = state.bMarks[first] + state.tShift[first]
    opening = state.src[start : start + 2]
    if opening not in ("$$", "\\["):
        return False
    closing, line, whole = _CLOSING[opening], first, False
    while line < last and not whole and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
        text = state.src[start + 2 if line == first else state.bMarks[line] : state.eMarks[line]].rstrip()
        if closing in text and not text.endswith(closing):
            return False  # the formula ends in the middle of a line: a matter of the rule for lines
        whole = text.endswith(closing) and (line > first or len(text) > 0)
        line += 1
    if not whole and (line < state.lineMax or not state.env.get("growing")):
        return False  # only what may still be on its way is a formula without an end
    content = state.getLines(first, line, state.blkIndent, False).strip()[2:]
    content = content.removesuffix(closing) if whole else content
    if whole and opening == "\\[" and (_NUMBER.fullmatch(content) or _PROSE.match(content)):
        return False
    if not silent:
        token = state.push("formula", "", 0)
        token.block, token.map, token.content, token.markup = True, [first, line], content, opening
        token.info, token.meta = "whole" if whole else "", {"closing": closing if whole else ""}
        state.line = line
    return True
