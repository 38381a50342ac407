"""Whether what an answer says stands in the passages that it cites, sentence by sentence."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, Literal, TypeAlias

from toolkit.display.shown import Shown
from toolkit.errors import CassetteError, ToolkitError
from toolkit.messages import NOT_IN_SOURCES
from toolkit.search.grounding import Grounding
from toolkit.search.words.analyser import Analyser

Embed: TypeAlias = Callable[[Sequence[str]], Awaitable[Any]]
"""Texts to unit vectors, an array of shape (texts, dimension)."""

Reason: TypeAlias = Literal["cites nothing", "cites no passage", "other figures", "other words"]

ENOUGH_WORDS: Final = 0.5
"""The share of a sentence's words that its passages have, from which it stands in them."""

ENOUGH_MEANING: Final = 0.65
"""The cosine to a sentence of its passages from which it says the same in other words."""

LEAST_WORDS: Final = 0.2
"""The share of words without which no meaning is trusted.

Measured with the titles of 300 abstracts as sentences: of their own abstracts 93 in 100 are taken for support (91 by
the words alone), of other abstracts 1 in 100, and of the abstract that is closest in meaning, which often does say the
same, half.
"""

_LEAST_TERMS = 2  # a sentence of fewer telling words says nothing that could be looked up
_CLOSEST = 3  # sentences of the passages that are compared by meaning
_FENCE = re.compile(r"^[ \t]*(```+|~~~+).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_MARK = re.compile(r"\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_BEGINS = re.compile(r"[ \t]*(?:[-*+•][ \t]+|\d{1,3}[.)][ \t]+|>[ \t]*|\|)")
_NO_SENTENCE = re.compile(r"[ \t]*(?:#{1,6}[ \t].*|[-=*_|: \t]*)$")
_TABLE_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-{2,}[-|: \t]*$", re.MULTILINE)
_END = re.compile(r"[.!?…][\"'”’)\]*_]*(?:\s*\[\d[\d,; ]*\])*(?=\s|\Z)|[。！？](?:\s*\[\d[\d,; ]*\])*")
_ABBREVIATED = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|Dr|Mr|Mrs|Ms|St|No|Fig|Eq|Sec|vol|al|[A-Z]))\.$")
_FIGURE = re.compile(r"\d+(?:[.,:/-]\d+)*")
_COUNTED = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)


@dataclass(frozen=True, slots=True, repr=False)
class Unsupported(Shown):
    """A sentence of an answer that the passages do not bear.

    Attributes:
        start: its first character in the answer's text.
        end: the one after its last.
        reason: it cites nothing, or no passage that there is; or the passages have not its figures, or not its words
            and nothing that means the same.
        overlap: the share of its words that the cited passages have, 0 to 1; None where it cites none.
        cosine: to the closest sentence in them; None where it was not compared.
    """

    start: int
    end: int
    reason: Reason
    overlap: float | None = None
    cosine: float | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, list item or table row of an answer.

    Attributes:
        start: its first character.
        end: the one after its last, the marks after it included.
        text: without marks.
        cites: the numbers of its marks.
    """

    start: int
    end: int
    text: str
    cites: tuple[int, ...]


def cited_numbers(text: str) -> list[int]:
    """The numbers in [1] or [1, 2] outside of code, in order, with repeats."""
    prose = _CODE.sub("", _FENCE.sub("", text))
    return [int(number) for mark in _MARK.finditer(prose) for number in re.findall(r"\d+", mark.group(1))]


def sentences(text: str) -> list[Sentence]:
    """The sentences of an answer outside of fenced code, headings and rules."""
    return list(filter(None, (_sentence(text, start, end) for start, end in _spans(text))))


async def unsupported(text: str, grounding: Grounding, embed: Embed | None = None) -> tuple[Unsupported, ...]:
    """The sentences of an answer that its passages do not bear.

    Not looked at: questions, what announces a list, what says that the documents do not say, and sentences of fewer
    than two telling words.

    Args:
        text: the answer.
        grounding: what the model was given.
        embed: compares meanings, where words are not enough and not too few; None: words decide.
    """
    terms = _analyser().terms
    passages = {each.number: f"{each.title}\n{each.text}" for each in grounding.passages}
    found: list[Unsupported] = []
    unsure: list[tuple[Sentence, float, str]] = []
    for sentence in sentences(text):
        words = set(terms(sentence.text))
        if len(words) < _LEAST_TERMS or _says_nothing(sentence.text):
            continue
        cited = "\n\n".join(passages[n] for n in dict.fromkeys(sentence.cites) if n in passages)
        if not cited:
            reason: Reason = "cites no passage" if sentence.cites else "cites nothing"
            found.append(Unsupported(sentence.start, sentence.end, reason))
            continue
        overlap = round(len(words.intersection(terms(cited))) / len(words), 4)
        if not _figures(sentence.text) <= _figures(f"{cited}\n{grounding.question}"):
            found.append(Unsupported(sentence.start, sentence.end, "other figures", overlap))
        elif overlap < ENOUGH_WORDS:
            unsure.append((sentence, overlap, cited))
    cosines = await _cosines([(s.text, cited) for s, overlap, cited in unsure if overlap >= LEAST_WORDS], embed)
    for sentence, overlap, _ in unsure:
        cosine = cosines.get(sentence.text) if overlap >= LEAST_WORDS else None
        if cosine is None or cosine < ENOUGH_MEANING:
            found.append(Unsupported(sentence.start, sentence.end, "other words", overlap, cosine))
    return tuple(sorted(found, key=lambda each: each.start))


async def _cosines(pairs: Sequence[tuple[str, str]], embed: Embed | None) -> Mapping[str, float]:
    """Of each sentence the cosine to the closest sentence of what it cites; empty where nothing can be compared."""
    if embed is None or not pairs:
        return {}
    closest = [_closest(sentence, cited) for sentence, cited in pairs]
    texts = list(dict.fromkeys([*(sentence for sentence, _ in pairs), *(text for some in closest for text in some)]))
    try:
        vectors = dict(zip(texts, await embed(texts), strict=True))
    except CassetteError:  # a replay that lacks an answer must fail
        raise
    except ToolkitError:
        return {}
    return {
        sentence: round(max(float(vectors[sentence] @ vectors[text]) for text in some), 4)
        for (sentence, _), some in zip(pairs, closest, strict=True)
        if some
    }


def _closest(sentence: str, cited: str) -> list[str]:
    """The sentences in `cited`, and pairs of them, that share most words with `sentence`."""
    terms = _analyser().terms
    wanted = set(terms(sentence))
    single = [each.text for each in sentences(cited)]
    several = [*single, *(f"{one} {other}" for one, other in pairwise(single))]
    return sorted(several, key=lambda text: -len(wanted.intersection(terms(text))))[:_CLOSEST]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where sentences stand: lines that belong together are joined, list items and table rows are not."""
    begin = at = 0
    blank = _FENCE.sub(lambda fence: re.sub(r"[^\n]", " ", fence.group()), text)
    lines = blank.splitlines(keepends=True)
    for line, following in zip(lines, [*lines[1:], ""], strict=False):
        bare, mark = line.rstrip("\r\n"), _BEGINS.match(line)
        none = _NO_SENTENCE.match(bare) or ("|" in bare and _TABLE_RULE.match(following))
        if none or mark:
            yield from _cut(blank, begin, at)
            begin = at + (len(line) if none or not mark else mark.end())
        at += len(line)
    yield from _cut(blank, begin, at)


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentences of a paragraph."""
    for found in _END.finditer(text, start, end):
        after = text[found.end() : end].lstrip()[:1]
        if _ABBREVIATED.search(text[max(start, found.start() - 8) : found.start() + 1]) or after.islower():
            continue
        yield start, found.end()
        start = found.end()
    yield start, end


def _sentence(text: str, start: int, end: int) -> Sentence | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    said = text[start:end]
    bare = " ".join(_MARK.sub("", said).replace("|", " ").split())
    if not re.search(r"\w", bare):
        return None
    return Sentence(start, end, bare, tuple(cited_numbers(said)))


def _says_nothing(sentence: str) -> bool:
    return sentence.endswith(("?", ":")) or NOT_IN_SOURCES.rstrip(".") in sentence


def _figures(text: str) -> set[str]:
    """The figures in a text, those that are written as words too; of `1,000` it is `1000`."""
    written = {figure.replace(",", "") for figure in _FIGURE.findall(text)}
    parts = {part for figure in written for part in re.findall(r"\d+", figure)}
    words = {str(_COUNTED.index(word)) for word in re.findall(r"[a-z]+", text.lower()) if word in _COUNTED}
    return written | parts | words


@lru_cache(maxsize=1)
def _analyser() -> Analyser:
    # Both sides are read by the same rules, so that those of English do for other languages as well.
    return Analyser("en")
