"""Text and vectors that are made up, always the same, and shaped like real ones.

Words follow Zipf's law with Mandelbrot's offset: the most frequent are the function words of English, the others are
made of syllables and get longer and rarer; every section has one word of its own, as rare words are in life. A section
is about one of `TOPICS` topics, which has words of its own. The vector of a section lies around its topic's centre; a
query is words of one section and a vector near to it.

A vector is known by a section's text alone, because that text begins with a word that names its number (`mark`): so an
embedder can be a function that reads it. The same number gives the same text and vector in every process.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

SEED = 7
TOPICS = 1_000
DIMENSION = 384
SECTIONS = 20
"""Of a document; a section is what one chunk holds."""

Vectors = NDArray[np.float32]

_WORDS, _TOPIC_WORDS = 120_000, 240
_OFFSET, _EXPONENT = 1.6, 1.12  # Mandelbrot's, so that `the` is a twentieth of all words, as in English
_GRAIN = 4_000_000  # steps of the law: words rarer than one in so many do not occur
_OWN = 0.3  # of the words are the topic's
_MEAN, _SPREAD, _FEWEST, _MOST = 104, 0.22, 60, 160  # words of a section: of a lognormal distribution, cut off
_SENTENCE = 13
_NOISE, _POOL = 0.9, 4096  # of a section around its topic: as long as the centre, nearly; cosines of 0.5 to 0.6
_NEAR = 0.45  # of a query around its section
_FUNCTION = (
    "the of and to in a is that for it as was with be by on not he i this are or his from at which but have an "
    "had they you were their one all we can her has there been if more when will would who so no out up into than "
    "them then its only some could time these two may other do first any my now such like our over me even most "
    "made after also did many before must through back years where much your way well down should because each "
    "just those people how too little state good very make world still own see men work long get here between "
    "both life being under never day same another know while last might us great old year off come since against "
    "go came right used take three"
)
_SYLLABLES = [onset + vowel for onset in (*"bcdfghjklmnprstvw", "br", "cl", "dr", "st", "tr") for vowel in "aeiou"]
_ENDS = ["", "n", "r", "s", "l", "t", "nd", "st", "ng", "tion", "ment", "ing", "ed", "er", "ly", "ous"]
_LETTERS = "bcdfghjklmnprstvwxyz"
_MARK = re.compile(r"\b([xy])q([bcdfghjklmnprstvwxyz]{6})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Section:
    """One passage: its number, its words under a heading, as Markdown."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Query:
    """Words and a vector that ask for the section `number`."""

    number: int
    text: str
    vector: Vectors


def sections(first: int, last: int) -> Iterator[Section]:
    """The sections numbered from `first` up to, and without, `last`."""
    for number in range(first, last):
        yield Section(number, _section(number, 0))


def changed(number: int, version: int) -> Section:
    """A section with other words of the same topic; `version` is 1 for the first change."""
    return Section(number, _section(number, version))


def query(number: int, *, seed: int = 0) -> Query:
    """A question of five to nine words about a section; other seeds ask otherwise."""
    rng = np.random.default_rng([SEED, 2, number, seed])
    own = _section(number, 0).partition("\n\n")[2].split()[1:]
    chosen = [own[n].strip(".") for n in rng.choice(len(own), 4, replace=False)]
    about = _vocabulary()[_topic_words(number % TOPICS)[: int(rng.integers(1, 4))]]
    shape = ["how", "the", *chosen, "of", *about][: int(rng.integers(5, 10))]
    return asked(" ".join([*shape, mark(number, "y")]))


def asked(text: str) -> Query:
    """The query that a text is: its mark says what it is about."""
    return Query(number_of(text) or 0, text, vectors([text])[0])


def mark(number: int, kind: str = "x") -> str:
    """The word that names a number: of a section with `x`, of a query with `y`."""
    digits = []
    for _ in range(6):
        number, digit = divmod(number, len(_LETTERS))
        digits.append(_LETTERS[digit])
    return f"{kind}q{''.join(reversed(digits))}"


def number_of(text: str) -> int | None:
    """The number that the first mark of a text names; None without one."""
    found = _MARK.search(text)
    return None if found is None else _number(found[2])


def vectors(texts: Sequence[str]) -> Vectors:
    """The unit vectors of texts, by their marks; what has none is a query of nothing, far from all."""
    found = [_MARK.search(text) for text in texts]
    numbers = np.array([_number(one[2]) if one else 0 for one in found], dtype=np.int64)
    near = np.array([one is not None and one[1].lower() == "y" for one in found])
    rows = vectors_of(numbers)
    if near.any():
        rows[near] += _NEAR * _pool()[(numbers[near] * 40_503 + 17) % _POOL]
        rows[near] /= np.linalg.norm(rows[near], axis=1, keepdims=True)
    return rows


def vectors_of(numbers: NDArray[np.int64]) -> Vectors:
    """The unit vectors of sections."""
    mixed = numbers * 2_654_435_761 % 2**32
    noise = _pool()[mixed % _POOL] + 0.8 * _pool()[mixed // _POOL % _POOL]
    rows: Vectors = (_centres()[numbers % TOPICS] + np.float32(_NOISE / 1.28) * noise).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def nearest(wanted: Vectors, size: int, k: int = 10) -> list[list[int]]:
    """The numbers of the `k` sections of `size` that are really nearest to each vector, nearest first."""
    best = np.full((len(wanted), k), -2.0, dtype=np.float32)
    numbers = np.zeros((len(wanted), k), dtype=np.int64)
    for first in range(0, size, 20_000):
        block = np.arange(first, min(size, first + 20_000))
        cosines = np.hstack([best, wanted @ vectors_of(block).T])
        known = np.hstack([numbers, np.broadcast_to(block, (len(wanted), len(block)))])
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        best, numbers = np.take_along_axis(cosines, order, 1), np.take_along_axis(known, order, 1)
    return [[int(n) for n in row] for row in numbers]


def _section(number: int, version: int) -> str:
    rng = np.random.Generator(np.random.SFC64([SEED, 1, number, version]))
    length = min(max(int(np.exp(np.log(_MEAN) + _SPREAD * rng.standard_normal())), _FEWEST), _MOST)
    ranks = rng.random(length * 2)
    drawn = _law()[(ranks[:length] * _GRAIN).astype(np.int64)]
    own = _topic_words(number % TOPICS)
    at = np.flatnonzero(ranks[length:] < _OWN)
    drawn[at] = own[(len(own) ** (ranks[length:][at] / _OWN)).astype(np.int64) - 1]
    words = _vocabulary()[drawn].tolist()
    words[_SENTENCE - 1 :: _SENTENCE] = [word + "." for word in words[_SENTENCE - 1 :: _SENTENCE]]
    first, second = _vocabulary()[own[[number % 7, 7 + number % 11]]]
    name = mark(number) if not version else f"{mark(number)} {mark(number + version * 10_000_000)}"
    return f"## {first.capitalize()} {second}\n\n{name} {' '.join(words)}."


def _number(letters: str) -> int:
    number = 0
    for letter in letters.lower():
        number = number * len(_LETTERS) + _LETTERS.index(letter)
    return number


@cache
def _vocabulary() -> NDArray[np.object_]:
    """Words by rank: those of English, then made ones, each once; rarer ones are longer."""
    rng = np.random.default_rng([SEED, 3])
    words = dict.fromkeys(_FUNCTION.split())
    while len(words) < _WORDS:
        draws = rng.random((_WORDS, 5))
        for row in draws:
            count = 1 + (row[0] > 0.35) + (len(words) > 5_000 and row[0] > 0.6)
            stem = "".join(_SYLLABLES[int(x * len(_SYLLABLES))] for x in row[1 : 1 + count])
            words[stem + _ENDS[int(row[4] * len(_ENDS))]] = None
    return np.array(list(words)[:_WORDS], dtype=object)


@cache
def _law() -> NDArray[np.int64]:
    """Ranks of words, each as often as it is met in running text: what is drawn from, evenly."""
    weights = 1 / (np.arange(_WORDS) + 1 + _OFFSET) ** _EXPONENT
    return np.searchsorted(np.cumsum(weights) / weights.sum(), (np.arange(_GRAIN) + 0.5) / _GRAIN)


@cache
def _topic_words(topic: int) -> NDArray[np.int64]:
    """The ranks of a topic's own words, most frequent first: neither function words nor the rarest."""
    rng = np.random.default_rng([SEED, 4, topic])
    return np.unique((200 * (20_000 / 200) ** rng.random(_TOPIC_WORDS * 2)).astype(np.int64))[:_TOPIC_WORDS][
        rng.permutation(_TOPIC_WORDS)
    ]


@cache
def _pool() -> Vectors:
    return _units(np.random.default_rng([SEED, 5]).normal(size=(_POOL, DIMENSION)))


@cache
def _centres() -> Vectors:
    return _units(np.random.default_rng([SEED, 6]).normal(size=(TOPICS, DIMENSION)))


def _units(rows: NDArray[np.float64]) -> Vectors:
    units: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return units
