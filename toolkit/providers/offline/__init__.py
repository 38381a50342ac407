"""The model that is always there: it needs no key and no network, and answers by quoting the passages."""

import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from toolkit.errors import ProviderError
from toolkit.messages import (
    BEFORE_QUESTION,
    NOT_IN_SOURCES,
    ChatRequest,
    Completion,
    Delta,
    Embeddings,
    Message,
    Source,
    Usage,
    question_of,
)
from toolkit.providers.base import Vendor
from toolkit.providers.offline.quotes import Quote, quotes, stem, stems
from toolkit.terms import terms

NO_MODEL = (
    "No language model is configured. Set OPENAI_API_KEY or ANTHROPIC_API_KEY, or OPENAI_BASE_URL for a model on this "
    "machine, and ask again. Without a model, `ask` still answers from your own documents: it quotes the sentences "
    "that fit best."
)

MOST_QUOTES = 4
"""Of one answer: who wants more reads the passages themselves."""

_LEAST_COVERED = 0.34  # of the question's weight, or the passages do not speak of it
_LEAST_SHARE = 0.55  # of the best quote's score, for a quote that follows it
_SAME = 0.6  # share of common words from which two quotes say the same
_MOST_FOLLOWING = 5  # list items after a sentence that ends with a colon
_CONTEXT = 0.5  # what a word in a heading counts, against one in the quote itself

_DEFINITION = re.compile(r"(?i)\s*(?:what(?:'s| is| are| does)|define|explain|meaning of)\b")
_DEFINES = re.compile(r"(?i)^\W*((?:\w+\W+){1,6}?)(?:is|are|means?|refers? to|stands? for|denotes?)\b|^([^:]{2,40}):\s")
_ASKS_FOR_CODE = re.compile(
    r"(?i:\bhow (?:do|can|to|should)\b|\b(?:command|code|example|run|install|call|syntax)\b)|\w[_(]|[a-z][A-Z]"
)
_AMOUNT = re.compile(
    r"(?i)\bhow (?:many|much|long|large|big|often|old|fast|high)\b|\b(?:number|port|limit|default|version)\b"
)
_KINDS = (
    (_AMOUNT, re.compile(r"(?i)\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|hundred|thousand|million)\b")),
    (re.compile(r"(?i)\bwhy\b|\breasons?\b"), re.compile(r"(?i)\b(?:because|since|so that|therefore|reason)\b")),
    (re.compile(r"(?i)\bwhen\b"), re.compile(r"(?i)\b(?:when|after|before|until|once|if|as soon as)\b|\d")),
)
"""Kinds of questions, with what a sentence that answers one has in it."""


class Offline:
    """Quotes the sentences that answer best; see `Provider`. It counts no tokens and takes no tools."""

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:  # noqa: ARG002 - the protocol's; nothing here takes time
        """See `Provider.complete`."""
        return Completion(Message("assistant", _answer(request)), usage=Usage())

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncIterator[Delta]:
        """See `Provider.stream`; word by word."""
        completion = await self.complete(request, model, timeout=timeout)
        for word in re.findall(r"\s*\S+", completion.message.text):
            yield Delta(word)
        yield Delta(completion=completion)

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:  # noqa: ARG002 - as above
        """See `Provider.embed`.

        Raises:
            ProviderError: always.
        """
        raise ProviderError(
            "The offline provider makes no vectors; name a vendor's model, e.g. openai/text-embedding-3-small.",
            provider="offline",
        )

    async def close(self) -> None:
        """See `Provider.close`."""


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> Offline:  # noqa: ARG001 - the protocol's; it needs neither
    """See `Connect`."""
    return Offline()


VENDOR = Vendor(connect, last_resort=True, free=True)


def _answer(request: ChatRequest) -> str:
    if request.sources:
        return quote_answer(question_of(request.messages), request.sources)
    grounded = any(m.role == "user" and BEFORE_QUESTION in m.text for m in request.messages[-1:])
    return NOT_IN_SOURCES if grounded else NO_MODEL


def quote_answer(question: str, sources: Sequence[Source]) -> str:
    """The one to four sentences, list items or pieces of code that answer best, each with its [n].

    What answers is judged by words: rare ones of the question count most, a heading above counts half, an earlier
    passage and an earlier sentence a little more than a later one. If too little of the question is met,
    the answer is `NOT_IN_SOURCES`.
    """
    everything = quotes(sources)
    weights = _weights(question, everything)
    if not weights or not everything:
        return NOT_IN_SOURCES
    mean = sum(len(q.words) for q in everything) / len(everything)
    scored = [(_score(question, weights, q, mean), q) for q in everything]
    ranked = sorted((pair for pair in scored if pair[0]), key=lambda pair: (-pair[0], pair[1].number, pair[1].position))
    best = max((_covered(weights, q) for _, q in ranked), default=0.0)
    if best < _LEAST_COVERED:
        return NOT_IN_SOURCES
    return _written(_with_what_follows(_chosen(ranked, weights), everything))


def _weights(question: str, everything: Sequence[Quote]) -> dict[str, float]:
    """What each word of the question counts: the rarer it is in the passages, the more; and as often as it is said.

    A word that no passage has counts as the others do on average: it may only be another word for the same.
    """
    spread = Counter(word for quote in everything for word in {*quote.words, *quote.context})
    total = len(everything)
    said = Counter(stem(word) for word in terms(question))
    rarity = {w: math.log(1 + (total - spread[w] + 0.5) / (spread[w] + 0.5)) for w in said if spread[w]}
    average = sum(rarity.values()) / max(1, len(rarity))
    return {word: times * rarity.get(word, average) for word, times in said.items()} if rarity else {}


def _covered(weights: Mapping[str, float], quote: Quote) -> float:
    """The share of the question's weight that a quote meets, by itself and by its headings."""
    own = sum(weight for word, weight in weights.items() if word in quote.words)
    above = sum(weight for word, weight in weights.items() if word in quote.context and word not in quote.words)
    return (own + _CONTEXT * above) / sum(weights.values())


def _score(question: str, weights: Mapping[str, float], quote: Quote, mean: float) -> float:
    """BM25 over the quotes, with headings, the kind of question, and the place in the passages; 0 if nothing is met."""
    counts = Counter(quote.words)
    length = 1.2 * (0.25 + 0.75 * len(quote.words) / mean)
    score = sum(weight * 2.2 * counts[word] / (counts[word] + length) for word, weight in weights.items())
    if not score:
        return 0.0
    score += _CONTEXT * sum(w for word, w in weights.items() if word in quote.context and word not in counts)
    if quote.text.endswith("?"):
        score *= 0.4  # a question does not answer one
    if quote.form == "code" and not _ASKS_FOR_CODE.search(question):
        score *= 0.6  # who asks in words wants words
    if _DEFINITION.match(question) and (defines := _DEFINES.match(quote.text)):
        subject = set(stems(defines[1] or defines[2]))
        score *= 2.0 if subject & weights.keys() else 1.0
    for asks, answers in _KINDS:
        if asks.search(question) and answers.search(quote.text):
            score *= 1.2
    return score / (1 + 0.06 * (quote.number - 1)) / (1 + 0.01 * quote.position)


def _chosen(ranked: Sequence[tuple[float, Quote]], weights: Mapping[str, float]) -> list[Quote]:
    """The best quotes that say something new."""
    best = ranked[0][0]
    chosen: list[Quote] = []
    for score, quote in ranked:
        if len(chosen) == MOST_QUOTES or score < _LEAST_SHARE * best:
            break
        if any(_alike(quote, other) for other in chosen):
            continue
        if chosen and _covered(weights, quote) < _LEAST_COVERED:
            continue
        chosen.append(quote)
    return chosen


def _alike(one: Quote, other: Quote) -> bool:
    mine, theirs = set(one.words), set(other.words)
    return len(mine & theirs) >= _SAME * min(len(mine), len(theirs))


def _with_what_follows(chosen: Sequence[Quote], everything: Sequence[Quote]) -> list[Quote]:
    """The chosen quotes in reading order, the best one's passage first, with the list or code that one announces."""
    at = {(q.number, q.position): q for q in everything}
    order = list(dict.fromkeys(q.number for q in chosen))
    wanted = {(q.number, q.position) for q in chosen}
    for quote in chosen:
        if quote.text.endswith(":"):
            wanted |= {(f.number, f.position) for f in _announced(quote, at)}
    return [at[place] for place in sorted(wanted, key=lambda place: (order.index(place[0]), place[1]))]


def _announced(quote: Quote, at: Mapping[tuple[int, int], Quote]) -> list[Quote]:
    """What a quote that ends with a colon announces: a definition its docstring, a sentence its list or its code."""
    following = [at.get((quote.number, quote.position + n)) for n in range(1, _MOST_FOLLOWING + 1)]
    if quote.form == "code":
        return [f for f in following[:1] if f and f.form == "prose"]
    items = list(takewhile(lambda f: f is not None and f.form == "item", following))
    return [f for f in items or following[:1] if f and f.form != "prose"]


def _written(chosen: Sequence[Quote]) -> str:
    """Sentences of one passage as a paragraph, items as a list, code fenced, each with its mark."""
    text = ""
    before: Quote | None = None
    for quote in chosen:
        mark = f"[{quote.number}]"
        match quote.form:
            case "code":
                piece, between = f"```{quote.language}\n{quote.text}\n```\n{mark}", "\n\n"
            case "item":
                piece, between = f"- {_marked(quote.text, mark)}", "\n" if before and before.form == "item" else "\n\n"
            case _:
                piece, between = _marked(quote.text, mark), " " if before and before.form == "prose" else "\n\n"
        text += (between if before else "") + piece
        before = quote
    return text


def _marked(sentence: str, mark: str) -> str:
    end = sentence[-1] if sentence[-1] in ".!:?" else ""
    return f"{sentence.removesuffix(end)} {mark}{end}"
