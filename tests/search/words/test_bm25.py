"""Scores of chunks."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.words.test_segment import build
from toolkit.search.words.analyser import Analyser
from toolkit.search.words.bm25 import Part, Statistics, score
from toolkit.search.words.segment import Segment

ENGLISH = Analyser("en")
WORDS = ["fox", "foxes", "hound", "retry", "http_server", "v1.2.3", "rare", "the"]
BODIES = st.lists(st.lists(st.sampled_from(WORDS), max_size=10).map(" ".join), max_size=10)


def naive(weights: dict[str, float], bodies: Sequence[str]) -> list[float]:
    """BM25 by the book: k1 = 1.2, b = 0.75."""
    counts = [Counter(ENGLISH.terms(text)) for text in bodies]
    average = sum(each.total() for each in counts) / len(counts)
    scores = []
    for each in counts:
        total = 0.0
        for term, weight in weights.items():
            holding = sum(term in other for other in counts)
            idf = math.log(1 + (len(counts) - holding + 0.5) / (holding + 0.5))
            if each[term]:
                total += weight * idf * each[term] / (each[term] + 1.2 * (0.25 + 0.75 * each.total() / average))
        scores.append(total)
    return scores


def parts(segments: Sequence[Segment], weights: dict[str, float], alive: Sequence[object]) -> list[Part]:
    return [
        Part(segment, segment.found(weights), mask if isinstance(mask, np.ndarray) else None)
        for segment, mask in zip(segments, alive, strict=True)
    ]


@given(st.lists(BODIES, min_size=1, max_size=4), st.lists(st.sampled_from(WORDS), max_size=6), st.data())
def test_scores_are_those_of_the_formula_over_what_is_alive(
    bodies: list[list[str]], words: list[str], data: st.DataObject
) -> None:
    query = dict(ENGLISH.query(" ".join(words)))
    segments = [build(each) for each in bodies]
    masks = [np.array(data.draw(st.lists(st.booleans(), min_size=len(b), max_size=len(b))), np.bool_) for b in bodies]
    found = score(query, parts(segments, query, [None if mask.all() else mask for mask in masks]))
    assert [len(each) for each in found] == [len(each) for each in bodies]
    assert all(each.dtype == np.float32 for each in found)
    alive = [
        text for each, mask in zip(bodies, masks, strict=True) for text, lives in zip(each, mask, strict=True) if lives
    ]
    living = [float(s) for each, mask in zip(found, masks, strict=True) for s in each[mask]]
    dead = [float(s) for each, mask in zip(found, masks, strict=True) for s in each[~mask]]
    assert living == pytest.approx(naive(query, alive) if alive else [], rel=1e-5)
    assert not any(dead)


def test_what_is_merged_ranks_as_before() -> None:
    chance = random.Random(3)
    bodies = [[" ".join(chance.choices(WORDS, k=chance.randrange(20))) for _ in range(50)] for _ in range(4)]
    segments = [build(each) for each in bodies]
    masks = [np.array([chance.random() < 0.6 for _ in each], np.bool_) for each in bodies]
    query = dict(ENGLISH.query("rare fox in the http server"))
    before = score(query, parts(segments, query, masks))
    merged = Segment.merge(segments, masks)
    (after,) = score(query, parts([merged], query, [None]))
    assert np.concatenate([s[m] for s, m in zip(before, masks, strict=True)]) == pytest.approx(after, rel=1e-5)


def test_known_statistics_are_not_counted_again() -> None:
    segments = [build(["fox hound", "fox"]), build(["retry"])]
    query = {"fox": 1.0}
    known = Statistics.of((segment, None) for segment in segments)
    assert known == Statistics(3, 4)
    searched = parts(segments, query, [None, None])
    assert [s.tolist() for s in score(query, searched, known)] == [s.tolist() for s in score(query, searched)]


def test_postings_of_a_head_come_from_elsewhere() -> None:
    whole = build(["fox hound", "fox", "retry"])
    query = {"fox": 1.0, "absent": 1.0}
    head = Segment.from_head(whole.head())
    (from_head,) = score(query, [Part(head, whole.found(query))])
    (from_whole,) = score(query, [Part(whole, whole.found(query))])
    assert from_head.tolist() == from_whole.tolist()


def test_nothing_searched_gives_no_scores() -> None:
    assert score({"fox": 1.0}, []) == []
    empty = build([])
    assert [s.tolist() for s in score({"fox": 1.0}, [Part(empty, {})])] == [[]]
    blank = build(["", "🎉"])
    assert [s.tolist() for s in score({"fox": 1.0}, [Part(blank, {})])] == [[0, 0]]
