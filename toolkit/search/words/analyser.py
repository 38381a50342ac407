"""Texts into the terms that are looked up: what a chunk is found by, and what a question looks for."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from toolkit.errors import ConfigError
from toolkit.search.words.languages import ACRONYMS, ENGLISH_BESIDE, STEMMERS, STOP_WORDS, UNSTEMMED
from toolkit.search.words.tokens import BREAK, EXACT, NAME, RUN, TOKEN, WORD, Kind, coarse, pairs, pieces, singles

if TYPE_CHECKING:
    from Stemmer import Stemmer

MOST_TERMS = 64
"""Distinct terms of one question: a question has ten, and each one costs a pass over its postings."""

MOST_REPEATS = 8
"""How often a repeated term counts: said again is emphasis, said a hundred times is a pasted page."""

MOST_READ = 1 << 16
"""Characters of a question that are read; of a longer one the beginning and the end, where a stack trace says what."""

LONGEST = 64
"""Characters of a term; a longer one is kept as its beginning and a hash, and is found only as it is written."""

_ENDS = 16
_NUMBER = 3
_REMEMBERED = 64 << 20
_NUMERAL = re.compile(r"(?:0x)?[0-9a-f]*[0-9][0-9a-f]*")
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c7\u0640\u064b-\u065f\u0670]+")
_SHORT_I = re.compile("(?<=[\u0438\u0418])\u0306")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})


class Analyser:
    """How the words of one language become terms; may be used by several threads at once.

    A term is a word without its ending (Snowball's stem), its case and its diacritics; an identifier gives itself and
    its parts, so that each is found by the other; what a version or `C++` is stays as it is; scripts without spaces
    between words give their characters in pairs. Stop words are left out, unless a text has no other words.

    It remembers what it made of the tokens that it has seen (about 64 MB at most), so make one for each language and
    keep it.

    Args:
        language: an ISO 639-1 code, e.g. `"en"`, with or without a region; `"und"` leaves words as they are.

    Raises:
        ConfigError: the language is none of those that are known; the message names them.
    """

    VERSION: ClassVar[int] = 1
    """Raised whenever a text would give other terms: what was indexed before is then indexed anew."""

    def __init__(self, language: str = "en") -> None:
        self.language = language.strip().lower().replace("_", "-").split("-")[0]
        if self.language not in STEMMERS and self.language not in UNSTEMMED:
            known = ", ".join(sorted([*STEMMERS, *UNSTEMMED]))
            raise ConfigError(f"The words of {language!r} cannot be analysed; the languages are {known}.")
        self._lock = Lock()
        self._stemmer = _stemmer(self.language)
        self._ascii_stemmer = _stemmer("en") if self.language in ENGLISH_BESIDE else self._stemmer
        stop_words = STOP_WORDS.get(self.language, frozenset())
        if self.language in ENGLISH_BESIDE:
            stop_words |= STOP_WORDS["en"]
        self._stop_words = stop_words | {_fold(word) for word in stop_words}
        self._acronyms = ACRONYMS.get(self.language, frozenset())
        self._vocabulary = Vocabulary(self)

    @property
    def vocabulary(self) -> "Vocabulary":
        """What it remembers; a new one when the last has become too large, so ask for it once for each batch."""
        if self._vocabulary.full:
            self._vocabulary = Vocabulary(self)
        return self._vocabulary

    def terms(self, text: str) -> list[str]:
        """The terms by which `text` is found, in order, with repeats; none only if there is no word in it."""
        tokens, words = coarse(text), self.vocabulary
        return [words.terms[number] for token in tokens for number in words.numbers(token)] or self.stop_words(tokens)

    def stop_words(self, tokens: Iterable[bytes]) -> list[str]:
        """The terms of a text of stop words only, of its coarse tokens: it is found by them."""
        return [
            term
            for token in tokens
            for piece, kind, _ in _taken_apart(token.decode())
            for term in self.forms(piece, kind, telling=False)
        ]

    def query(self, text: str) -> Mapping[str, float]:
        """What `text` looks for: term → how much it counts. Empty only if there is no word in it; any text is valid.

        A repeated term counts up to `MOST_REPEATS` times. Of more than `MOST_TERMS` distinct ones those are kept with
        which the text begins and ends, then whole identifiers, then words, what is repeated before what is not.
        """
        if len(text) > MOST_READ:
            text = f"{text[: MOST_READ // 2]} {text[-MOST_READ // 2 :]}"
        tokens = coarse(text)
        looked_for = list(self._asked(tokens, telling=True)) or list(self._asked(tokens, telling=False))
        weights: dict[str, float] = {}
        ranks: dict[str, int] = {}
        for term, weight, rank in looked_for:
            weights[term] = weights.get(term, 0.0) + weight
            ranks[term] = min(rank, ranks.get(term, rank))
        weights = {term: min(weight, float(MOST_REPEATS)) for term, weight in weights.items()}
        if len(weights) <= MOST_TERMS:
            return weights
        telling = [term for term, _, rank in looked_for if rank < _NUMBER]
        first, last = (list(dict.fromkeys(terms))[:_ENDS] for terms in (telling, reversed(telling)))
        rest = sorted(weights, key=lambda term: (ranks[term], -weights[term], -len(term)))
        chosen = list(dict.fromkeys([*first, *last, *rest]))[:MOST_TERMS]
        return {term: weights[term] for term in chosen}

    def _asked(self, tokens: Iterable[bytes], *, telling: bool) -> Iterator[tuple[str, float, int]]:
        """The terms that a question with these tokens looks for, how much each counts, and how telling it looks."""
        for token in tokens:
            for piece, kind, depth in _taken_apart(token.decode()):
                forms = self.forms(piece, kind, telling=telling, asking=True)
                for term in forms:
                    yield term, 1.0 if kind is RUN else 1 / len(forms), _rank(term, kind, depth)

    def forms(self, piece: str, kind: Kind, *, telling: bool = True, asking: bool = False) -> Sequence[str]:
        """The terms of a piece: most have one.

        A stop word has none if `telling`; a word with diacritics has two if its stem without them is another; a run of
        a script without spaces has its pairs and, unless `asking`, its single characters.
        """
        if kind is RUN:
            return [_bounded(pair) for pair in pairs(piece)] + ([] if asking else singles(piece))
        word = self._lowered(piece)
        if kind is WORD and word in self._stop_words and telling and piece not in self._acronyms:
            return ()
        if kind is EXACT:
            return (_bounded(_fold(word)),)
        if word.isascii():
            return (self._stem(word),)
        forms = dict.fromkeys((_fold(self._stem(word)), self._stem(_fold(word))))
        return [_bounded(form) for form in forms if form]

    def _lowered(self, piece: str) -> str:
        if self.language == "tr":
            piece = piece.replace("I", "ı").replace("İ", "i")
        return piece.casefold()

    def _stem(self, word: str) -> str:
        stemmer = self._ascii_stemmer if word.isascii() else self._stemmer
        if not stemmer or len(word) > LONGEST:
            return _bounded(word)
        with self._lock:  # it works in memory of its own, which two threads would spoil
            stem: str = stemmer.stemWord(word)
        return stem or word


class Vocabulary(dict[bytes, int]):
    """Coarse tokens → what their terms are, worked out when a token first occurs.

    That is the number of the token's only term; or `NOTHING`; or, if it has more than one, `SEVERAL` or less, with
    which `several` gives their numbers. `BREAK` is `ENDED`. It may be used by several threads at once: a number that
    two of them take at the same time is one that is not used.
    """

    NOTHING, ENDED, SEVERAL = -1, -2, -3

    def __init__(self, analyser: Analyser) -> None:
        super().__init__({BREAK: self.ENDED})
        self.terms: dict[int, str] = {}
        self.several: dict[int, tuple[int, ...]] = {}
        self._analyser = analyser
        self._known: dict[str, int] = {}
        self._next, self._next_several = count(), count(self.SEVERAL, -1)
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether it shall be replaced by a new one."""
        return self._size > _REMEMBERED

    def number(self, term: str) -> int:
        """The number of `term`, a new one if it is new."""
        number = self._known.get(term)
        if number is None:
            number = next(self._next)
            self.terms[number] = term  # before any thread can meet its number
            number = self._known.setdefault(term, number)
            self._size += 150
        return number

    def numbers(self, token: bytes) -> tuple[int, ...]:
        """The numbers of the terms that `token` is found by."""
        code = self[token]
        if code >= 0:
            return (code,)
        return self.several[code] if code <= self.SEVERAL else ()

    def __missing__(self, token: bytes) -> int:
        if token.isalpha() and token.islower():  # what follows would come to the same, at twice the time
            forms = self._analyser.forms(token.decode(), WORD)
            code = self[token] = self.number(forms[0]) if forms else self.NOTHING
            self._size += 110 + len(token)
            return code
        numbers: list[int] = []
        for piece, kind in pieces(token.decode()):
            if kind is TOKEN:
                numbers += self.numbers(piece.encode())
            else:
                terms = self._analyser.forms(piece, kind)
                numbers += [self._known.get(term) or self.number(term) for term in terms]
        if len(numbers) == 1:
            code = numbers[0]
        elif numbers:
            code = next(self._next_several)
            self.several[code] = tuple(numbers)
        else:
            code = self.NOTHING
        self._size += 110 + len(token) + 8 * len(numbers)
        self[token] = code
        return code


def _taken_apart(token: str, depth: int = 0) -> Iterator[tuple[str, Kind, int]]:
    """The pieces of `token` and of its pieces, and in how many identifiers each lies."""
    found = pieces(token)
    inside = depth + any(kind is NAME for _, kind in found)
    for piece, kind in found:
        if kind is TOKEN:
            yield from _taken_apart(piece, inside)
        else:
            yield piece, kind, depth


def _stemmer(language: str) -> "Stemmer | None":
    if language not in STEMMERS:
        return None
    import Stemmer  # noqa: PLC0415 - not before a collection's words are first analysed

    return Stemmer.Stemmer(STEMMERS[language], 0)


def _rank(term: str, kind: Kind, depth: int) -> int:
    """How telling a term looks, the most telling first: whole identifiers, words, parts of identifiers, numbers."""
    if _NUMERAL.fullmatch(term):
        return _NUMBER
    if kind is NAME and not depth:
        return 0
    return 2 if depth else 1


def _fold(word: str) -> str:
    """`word` without its diacritics; marks of scripts in which they are vowels stay."""
    if word.isascii():
        return word
    marked = _SHORT_I.sub("\ue000", unicodedata.normalize("NFKD", word))  # in Russian a letter, not a marked one
    return unicodedata.normalize("NFC", _MARKS.sub("", marked).replace("\ue000", "\u0306")).translate(_LETTERS)


def _bounded(term: str) -> str:
    if len(term) <= LONGEST:
        return term
    return f"{term[:32]}~{blake2b(term.encode('utf-8', 'replace'), digest_size=8).hexdigest()}"
