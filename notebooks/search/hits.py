"""Hits of a search, as a person reads them."""

import re
from collections.abc import Iterable, Sequence
from html import escape, unescape
from pathlib import Path

from toolkit.display.markdown import render
from toolkit.search.documents import WORDS_ALONE, Hit

EXCERPT = 320
"""Characters shown of a passage; the whole of it unfolds."""

_MARKDOWN = {".md", ".markdown", ".ipynb"}
_PROSE = {"", ".txt", ".rst"}
_TAG_OR_ENTITY = re.compile(r"(<[^>]*>|&#?\w+;)")
_HEADING = re.compile(r"<h\d>.*?</h\d>", re.DOTALL)
_INLINE = re.compile(r"</?(?:code|strong|em|s|a)\b[^>]*>")
_INERT = "tex2jax_ignore mathjax_ignore"  # a page that sets formulas leaves these alone


def page(hits: Sequence[Hit], query: str, collection: str | Sequence[str] | None = None) -> str:
    """The hits as HTML, below how many there are."""
    said = counted(len(hits), collection) if hits else nothing(query, collection)
    return f'<div class="toolkit-note" role="status">{escape(said)}</div>{cards(hits) if hits else ""}'


def counted(count: int, collection: str | Sequence[str] | None) -> str:
    """How many hits there are, and where."""
    return f"{count} passage{'' if count == 1 else 's'} in {places(collection)}"


def nothing(query: str, collection: str | Sequence[str] | None) -> str:
    """That there are no hits."""
    return f"Nothing in {places(collection)} fits “{query}”; try other words."


def places(collection: str | Sequence[str] | None) -> str:
    """Where is searched, in words."""
    if collection is None:
        return "all collections"
    return collection if isinstance(collection, str) else ", ".join(collection)


def cards(hits: Iterable[Hit], first: int = 1) -> str:
    """The hits as a list in HTML, numbered from `first`; what the search found to be the query's words is marked."""
    items = "".join(_card(number, hit) for number, hit in enumerate(hits, start=first))
    return f'<ol class="toolkit-hits {_INERT}" start="{first}">{items}</ol>'


def marked(html: str, words: Iterable[str]) -> str:
    """`html` with `words` marked in its text, where they stand whole."""
    pattern = _pattern(words)
    if pattern is None:
        return html
    parts = _TAG_OR_ENTITY.split(html)
    parts[::2] = [pattern.sub(r"<mark>\g<0></mark>", text) for text in parts[::2]]
    return "".join(parts)


def excerpt(text: str, spots: Sequence[int]) -> tuple[int, int]:
    """Where the `EXCERPT` characters of `text`, or a little more, begin and end that have the most of `spots`.

    They begin with a whole line, or in a long one with a whole word.
    """
    if len(text) <= EXCERPT:
        return 0, len(text)
    best = max(spots, key=lambda at: sum(at <= other < at + EXCERPT * 3 // 4 for other in spots), default=0)
    begin = text.rfind("\n", 0, best) + 1
    if best - begin > EXCERPT // 2:
        begin = text.rfind(" ", 0, best - EXCERPT // 4) + 1
    end = len(text) if len(text) - begin <= EXCERPT else text.rfind(" ", begin, begin + EXCERPT)
    return begin, begin + EXCERPT if end <= begin else end


def _card(number: int, hit: Hit) -> str:
    heading = hit.heading.removeprefix(hit.title).removeprefix(" › ")
    where = f"{hit.source}, {hit.place}" if hit.place else f"{hit.source}:{hit.lines[0]}–{hit.lines[1]}"
    return (
        f'<li><span class="toolkit-number">[{number}]</span>'
        f'<span class="toolkit-hit">{escape(hit.title or hit.source)}</span>'
        f'<span class="toolkit-score" title="score, beside the best hit\'s 1">'
        f'<i style="--share: {max(0.0, min(1.0, hit.score)):.0%}"></i>{hit.score:.2f}</span>'
        f'<div class="toolkit-place"><span>{escape(where)}</span> {escape(heading)}</div>'
        f"{_passage(hit)}</li>"
    )


def _passage(hit: Hit) -> str:
    suffix = Path(hit.source).suffix.lower()
    if suffix in _MARKDOWN:
        return _of_markdown(hit)
    begin, end = excerpt(hit.text, [start for start, _ in hit.highlights])
    code = "" if suffix in _PROSE else " toolkit-code"
    before = "… " if begin and hit.text[begin - 1] != "\n" else ""
    after = " …" if end < len(hit.text) else ""
    said = f'<div class="toolkit-passage{code}">{before}{_spans(hit, begin, end)}{after}</div>'
    whole = "" if end - begin == len(hit.text) else f'<pre class="toolkit-text">{_spans(hit, 0, len(hit.text))}</pre>'
    return said + _folded(hit, whole)


def _of_markdown(hit: Hit) -> str:
    # The page that is shown has other places than the source, so the words are found in it anew.
    words = {hit.text[start:end] for start, end in hit.highlights}
    whole = render(hit.text)
    plain, pattern = _plain(whole), _pattern(words)
    begin, end = excerpt(plain, [found.start() for found in pattern.finditer(plain)] if pattern else [])
    shown = f"{'… ' if begin else ''}{plain[begin:end].rstrip()}{' …' if end < len(plain) else ''}"
    said = f'<div class="toolkit-passage">{marked(escape(shown), words)}</div>'
    return said + _folded(hit, "" if shown == hit.text.strip() else marked(whole, words))


def _folded(hit: Hit, whole: str) -> str:
    """What unfolds below a passage: all of it, and what its score is made of."""
    if whole:
        whole = f'<details><summary>whole passage</summary><div class="toolkit-answer">{whole}</div></details>'
    why = _why(hit)
    return f'<div class="toolkit-folded">{whole}{why}</div>' if whole or why else ""


def _spans(hit: Hit, begin: int, end: int) -> str:
    """The text from `begin` to `end` with its highlights marked."""
    parts, at = [], begin
    for start, stop in hit.highlights:
        if begin <= start and stop <= end:
            parts += [escape(hit.text[at:start]), f"<mark>{escape(hit.text[start:stop])}</mark>"]
            at = stop
    return "".join([*parts, escape(hit.text[at:end].rstrip("\n"))])


def _why(hit: Hit) -> str:
    """What the score is made of, folded."""
    parts = hit.parts
    if parts == WORDS_ALONE:
        return ""
    told = [f"has {parts.coverage:.0%} of the query's words"]
    if parts.estimated:
        told.append("its meaning is not known yet, and counts as that of passages with as many of the words")
    elif parts.embedder:
        told.append(f"meanings by {parts.embedder}")
    said = escape("; ".join(told))
    line = escape(parts.explained)
    return f'<details class="toolkit-why"><summary>why here</summary><code>{line}</code> <span>{said}</span></details>'


def _plain(html: str) -> str:
    """The text of a passage in one line, without its headings."""
    text = re.sub(r"<[^>]*>", " ", _INLINE.sub("", _HEADING.sub("", html)))
    return re.sub(r"\s+", " ", unescape(text)).strip()


def _pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    # Of scripts that put nothing between their words, each place counts.
    branches = [
        rf"(?<![^\W_]){re.escape(word)}(?![^\W_])" if word.isascii() else re.escape(word)
        for word in sorted(set(words), key=lambda word: (-len(word), word))
        if word
    ]
    return re.compile("|".join(branches)) if branches else None
