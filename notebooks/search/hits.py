"""Hits of a search, as a person reads them."""

import re
from collections.abc import Sequence
from html import escape, unescape
from pathlib import Path

from toolkit.display.markdown import as_text, render
from toolkit.search.documents import Hit
from toolkit.terms import terms

EXCERPT = 320
"""Characters shown of a passage; the whole of it unfolds."""

_MARKDOWN = {".md", ".markdown", ".ipynb"}
_PROSE = {"", ".txt", ".rst"}
_TAG_OR_ENTITY = re.compile(r"(<[^>]*>|&#?\w+;)")
_HEADING = re.compile(r"<h\d>.*?</h\d>", re.DOTALL)
_INLINE = re.compile(r"</?(?:code|strong|em|s|a)\b[^>]*>")
_STEM, _ENDING = 4, r"[^\W_]{0,4}"


def page(hits: Sequence[Hit], query: str, collection: str | Sequence[str] | None = None) -> str:
    """The hits as HTML, with the words of `query` marked."""
    if not hits:
        said = f"Nothing in {places(collection)} fits “{query}”; try other words."
        return f'<div class="toolkit-note" role="status">{escape(said)}</div>'
    count = f"{len(hits)} passage{'' if len(hits) == 1 else 's'} in {places(collection)}"
    cards = "".join(_card(number, hit, query) for number, hit in enumerate(hits, start=1))
    return f'<div class="toolkit-note" role="status">{escape(count)}</div><ol class="toolkit-hits">{cards}</ol>'


def places(collection: str | Sequence[str] | None) -> str:
    """Where is searched, in words."""
    if collection is None:
        return "all collections"
    return collection if isinstance(collection, str) else ", ".join(collection)


def marked(html: str, query: str) -> str:
    """`html` with the words of `query` marked in its text, also where they have another ending."""
    words = _words(query)
    if words is None:
        return html
    parts = _TAG_OR_ENTITY.split(html)
    parts[::2] = [words.sub(r"<mark>\g<0></mark>", text) for text in parts[::2]]
    return "".join(parts)


def excerpt(text: str, query: str) -> str:
    """The `EXCERPT` characters of `text`, or a little more, that have the most words of `query`; lines begin whole."""
    if len(text) <= EXCERPT:
        return text
    words = _words(query)
    spots = [match.start() for match in words.finditer(text)] if words else []
    best = max(spots, key=lambda at: sum(at <= other < at + EXCERPT * 3 // 4 for other in spots), default=0)
    begin = text.rfind("\n", 0, best) + 1
    if best - begin > EXCERPT // 2:
        begin = text.rfind(" ", 0, best - EXCERPT // 4) + 1
    end = len(text) if len(text) - begin <= EXCERPT else text.rfind(" ", begin, begin + EXCERPT)
    end = begin + EXCERPT if end <= begin else end
    within_a_line = begin > 0 and text[begin - 1] != "\n"
    return f"{'… ' if within_a_line else ''}{text[begin:end].rstrip()}{' …' if end < len(text) else ''}"


def _card(number: int, hit: Hit, query: str) -> str:
    heading = hit.heading.removeprefix(hit.title).removeprefix(" › ")
    return (
        f'<li><span class="toolkit-number">[{number}]</span>'
        f'<span class="toolkit-title">{escape(hit.title or hit.source)}</span>'
        f'<span class="toolkit-score" title="score, beside the best hit\'s 1">'
        f'<i style="--share: {max(0.0, min(1.0, hit.score)):.0%}"></i>{hit.score:.2f}</span>'
        f'<div class="toolkit-place"><span>{escape(hit.source)}:{hit.lines[0]}–{hit.lines[1]}</span> '
        f"{escape(heading)}</div>{_passage(hit, query)}</li>"
    )


def _passage(hit: Hit, query: str) -> str:
    suffix = Path(hit.source).suffix.lower()
    whole = render(hit.text) if suffix in _MARKDOWN else as_text(hit.text)
    plain = _plain(whole) if suffix in _MARKDOWN | _PROSE else hit.text.strip("\n")
    shown = excerpt(plain, query)
    code = "" if suffix in _MARKDOWN | _PROSE else " toolkit-code"
    said = f'<div class="toolkit-passage{code}">{marked(escape(shown), query)}</div>'
    if shown == plain == hit.text.strip():
        return said
    whole = f'<div class="toolkit-answer">{marked(whole, query)}</div>'
    return f"{said}<details><summary>whole passage</summary>{whole}</details>"


def _plain(html: str) -> str:
    """The text of a passage in one line, without its headings."""
    text = re.sub(r"<[^>]*>", " ", _INLINE.sub("", _HEADING.sub("", html)))
    return re.sub(r"\s+", " ", unescape(text)).strip()


def _words(query: str) -> re.Pattern[str] | None:
    # The index compares stems: longer words may lack their s, or have up to four other letters at their end.
    words = sorted({term.casefold() for term in terms(query)}, key=lambda word: (-len(word), word))
    branches = [re.escape(word) if len(word) < _STEM else re.escape(re.sub("s$", "", word)) + _ENDING for word in words]
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(branches)})(?![^\W_])", re.IGNORECASE) if branches else None
