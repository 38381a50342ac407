"""Passages taken apart into what can be quoted by itself: sentences, list items, table rows and pieces of code."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import dedent
from typing import Literal, TypeAlias

from toolkit.messages import Source
from toolkit.terms import telling_words

Form: TypeAlias = Literal["prose", "item", "code"]

MOST_CODE_LINES = 12
"""Lines of one piece of code: as much as explains itself at a glance."""

_MOST_ITEM = 400  # characters of a list item that is quoted whole

_HEADING = re.compile(r" {0,3}#{1,6}\s+(.*)")
_FENCE = re.compile(r"\s*(```+|~~~+)\s*([\w+-]*)")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+(?=\S)|\s+(?=[a-z_]\w*: )")  # also `name: meaning` in a docstring
_NOISE = re.compile(r"\s*(?:<!--|\[!\[|!\[|[-=*_|:\s]+$|</?\w+[^>]*>\s*$|[A-Z]\w+:\s*$|[\"']{3}\s*$)")
_TABLE_RULE = re.compile(r"\s*\|?\s*:?-{2,}[-|:\s]*$")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[`*_]*[A-Z0-9])")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|Dr|Mr|Mrs|Ms|St|No|Fig|Eq|Sec|vol|al|[A-Z]))\.$")
_LONGEST_ABBREVIATION = 8
_FOOTNOTE = re.compile(r"(`[^`]*`)|\[\d{1,3}\]|\[\^\w+\]")
_QUOTES = re.compile(r"^[rbuf]{0,2}\"\"\"|\"\"\"$|^(?:#+|//+!?|--|/?\*+/?)\s+|^\*/$")
_CODE_LINE = re.compile(
    r"""(?x)
    ^\s*(?: (?:def|class|import|from|return|async|await|elif|else|try|except|finally|with|while|for|if|raise|yield
             |const|let|var|function|export|public|private|static|func|fn|impl|struct|enum|package|use|pub)\b.*[:;{}()=]
          | @\w | \#include | [$>]\s | [})\]]+[;,]?\s*$ | [A-Z_]{3,}= | (?:SELECT|INSERT|CREATE|UPDATE|DELETE)\b )
  | [{};]\s*$ | [(\[,]\s*$ | =>|->|==|!=|:=|\+=
  | ^\s*[\w.\[\]"']+(?::\s[\w.\[\]|]+(?:\s[\w.\[\]|]+)*)?\s=\s | ^\s*[\w.]+\(.*\)\s*$
  | ^\s*["']?[\w-]+["']?:\s\S+$
    """
)


@dataclass(frozen=True, slots=True)
class Quote:
    """A part of a passage that can be read alone.

    Attributes:
        number: the passage, counted from 1.
        position: where in the passage, counted from 0.
        form: how it is shown.
        text: one line of prose, or lines of code.
        language: of code that is fenced; may be empty.
        words: what it says, stemmed.
        context: what its headings and the passage's title say, stemmed.
    """

    number: int
    position: int
    form: Form
    text: str
    language: str
    words: Sequence[str]
    context: frozenset[str]


def quotes(sources: Sequence[Source]) -> list[Quote]:
    """All that can be quoted from the passages, in order."""
    return [quote for number, source in enumerate(sources, 1) for quote in _quotes_of(number, source)]


def stems(text: str) -> list[str]:
    """The telling words of a text without their endings, so that `retries` and `retrying` are the same."""
    return [stem(word) for word in telling_words(text)]


def stem(word: str) -> str:
    """An English word without its commonest endings; rough, and the same for question and passage."""
    word = word.casefold()
    for ending, instead in _ENDINGS:
        root = word.removesuffix(ending)
        if root != word and len(root) + len(instead) >= _LEAST_STEM:
            word = root + instead
            break
    if len(word) > _LEAST_STEM and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > _LEAST_STEM else word


_LEAST_STEM = 3
_ENDINGS = (
    *(("ications", "y"), ("ication", "y"), ("ations", "e"), ("ation", "e"), ("ities", "ity"), ("iness", "y")),
    *(("ied", "y"), ("ies", "y"), ("ings", ""), ("ing", ""), ("edly", ""), ("ed", ""), ("ments", ""), ("ment", "")),
    *(("ers", ""), ("er", ""), ("ors", "e"), ("or", "e"), ("ly", ""), ("sses", "ss"), ("ss", "ss"), ("us", "us")),
    *(("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("es", "e"), ("s", "")),
)


def _quotes_of(number: int, source: Source) -> Iterator[Quote]:
    title = stems(source.title)
    heading: list[str] = []
    position = 0
    for form, text, language in _pieces(source.text.split("\n")):
        if form == "heading":
            heading = stems(text)
            continue
        words = stems(text)
        if words:
            yield Quote(number, position, form, text, language, words, frozenset([*title, *heading]))
            position += 1


def _pieces(lines: Sequence[str]) -> Iterator[tuple[Literal["heading"] | Form, str, str]]:
    """Form, text and language of each piece."""
    number = 0
    while number < len(lines):
        line = lines[number]
        if fence := _FENCE.match(line):
            end = next((n for n in range(number + 1, len(lines)) if lines[n].strip() == fence[1]), len(lines))
            yield from (("code", code, fence[2]) for code in _code(lines[number + 1 : end]))
            number = end + 1
        elif heading := _HEADING.match(line):
            yield "heading", heading[1], ""
            number += 1
        elif not line.strip() or _NOISE.match(line) or _heads_a_table(lines, number):
            number += 1
        else:
            end = _run_end(lines, number)
            yield from _run(lines[number:end])
            number = end


def _heads_a_table(lines: Sequence[str], number: int) -> bool:
    """Whether a line names the columns of a table, which says nothing by itself."""
    following = lines[number + 1] if number + 1 < len(lines) else ""
    return lines[number].lstrip().startswith("|") and bool(_TABLE_RULE.match(following))


def _run_end(lines: Sequence[str], start: int) -> int:
    """The line after the paragraph, list item, table row or piece of code that begins at `start`."""
    is_code, is_item = _looks_like_code(lines[start]), bool(_ITEM.match(lines[start]))
    end = start + 1
    while end < len(lines) and lines[end].strip() and not lines[start].lstrip().startswith("|"):
        following = lines[end]
        if any(begins.match(following) for begins in (_HEADING, _FENCE, _NOISE, _ITEM)) or following.lstrip()[0] == "|":
            break
        within = is_item and _indent(following) > _indent(lines[start])
        if _looks_like_code(following) != is_code and not within:
            break
        end += 1
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _looks_like_code(line: str) -> bool:
    return bool(_CODE_LINE.search(line)) and not _ITEM.match(line) and not line.rstrip().endswith(".")


def _run(lines: Sequence[str]) -> Iterator[tuple[Form, str, str]]:
    if _looks_like_code(lines[0]):
        yield from (("code", code, "") for code in _code(lines))
        return
    item = _ITEM.match(lines[0])
    bare = [lines[0][item.end() :] if item else lines[0], *lines[1:]]
    text = " ".join(_QUOTES.sub("", line.strip()).strip() for line in bare)
    text = " ".join(_FOOTNOTE.sub(r"\1", text).split())
    if lines[0].lstrip().startswith("|"):
        yield "item", " — ".join(cell.strip() for cell in text.strip("|").split("|") if cell.strip()), ""
    elif item and len(text) <= _MOST_ITEM:
        yield "item", text, ""
    else:
        yield from (("prose", sentence, "") for sentence in _sentences(text))


def _code(lines: Sequence[str]) -> Iterator[str]:
    """The lines in pieces between blank lines, where they are too many for one."""
    if len(lines) <= MOST_CODE_LINES:
        pieces = [list(lines)]
    else:
        pieces = [block.split("\n") for block in re.split(r"\n\s*\n", "\n".join(lines))]
    for piece in pieces:
        for start in range(0, len(piece), MOST_CODE_LINES):
            if text := dedent("\n".join(piece[start : start + MOST_CODE_LINES])).strip("\n"):
                yield text


def _sentences(text: str) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if not _ABBREVIATION.search(text[max(start, end.start() - _LONGEST_ABBREVIATION) : end.start()]):
            yield text[start : end.end()].strip()
            start = end.end()
    if text[start:].strip():
        yield text[start:].strip()
