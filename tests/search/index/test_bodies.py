"""Rows of the log as bytes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.search.index.shelf import chunks_of, prepared, vectors_of
from toolkit.errors import DatabaseError
from toolkit.search.index import bodies
from toolkit.search.index.bodies import Vectors
from toolkit.search.index.building import segments


def test_vectors_come_back_as_they_were() -> None:
    hashes = np.array([0, 1, 2**64 - 1], np.uint64)
    body = bodies.of_vectors(Vectors("größe/é", hashes, vectors_of(hashes)))
    found = bodies.to_vectors(body)
    assert found.embedder == "größe/é"
    assert found.hashes.tolist() == hashes.tolist()
    assert np.array_equal(found.quantised.rows, vectors_of(hashes).rows)
    assert np.array_equal(found.quantised.scales, vectors_of(hashes).scales)


def test_several_segments_and_none_come_back() -> None:
    made = [segments("en", chunks_of({"": prepared(name, f"text of {name}")}))[0] for name in ("one", "two")]
    found = bodies.to_words(bodies.of_words(made))
    assert [each.docs.tolist() for each in found] == [each.docs.tolist() for each in made]
    assert bodies.to_words(bodies.of_words([])) == []


def test_documents_come_back() -> None:
    docs = np.array([0, 2**60 - 1], np.int64)
    assert bodies.to_gone(bodies.of_gone(docs)).tolist() == docs.tolist()


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (bodies.to_vectors, bodies.of_vectors(Vectors("e", np.arange(3, dtype=np.uint64), vectors_of(range(3))))),
        (bodies.to_words, bodies.of_words(segments("en", chunks_of({"": prepared("a", "some words")})))),
    ],
    ids=["vectors", "words"],
)
def test_a_damaged_row_is_refused(read: Callable[[bytes], Any], body: bytes) -> None:
    for at in (0, 4, 7, len(body) // 2, len(body) - 1):
        spoilt = bytearray(body)
        spoilt[at] ^= 1
        with pytest.raises(DatabaseError):
            read(bytes(spoilt))
    for length in (1, len(body) - 1):
        with pytest.raises(DatabaseError):
            read(body[:length])
    with pytest.raises(DatabaseError):
        bodies.to_gone(body[:7])
