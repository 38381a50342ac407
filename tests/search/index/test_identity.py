"""Ids as numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import DatabaseError
from toolkit.search.cutting.chunker import document_id
from toolkit.search.index import identity

sources = st.lists(st.text(), max_size=20)


@given(sources)
def test_an_id_and_its_number_are_the_same_and_keep_their_order(names: list[str]) -> None:
    ids = [document_id("c", name) for name in names]
    docs = identity.docs_of(ids)
    assert identity.ids_of(docs) == ids
    assert identity.docs_in("".join(ids)).tolist() == docs.tolist()
    assert [ids[n] for n in np.argsort(docs, kind="stable")] == sorted(ids, key=lambda own: own.translate(_AS_DIGITS))
    assert all(0 <= doc < 2**60 for doc in docs.tolist())


# In base32 the letters come before the digits.
_AS_DIGITS = str.maketrans("abcdefghijklmnopqrstuvwxyz234567", "".join(chr(n) for n in range(100, 132)))


def test_a_chunk_s_id_is_its_document_s_and_its_position() -> None:
    ids = [document_id("c", "a"), document_id("c", "b")]
    found = identity.chunk_ids(identity.docs_of(ids), np.array([1, 12], np.int32))
    assert found == [f"{ids[0]}-1", f"{ids[1]}-12"]


@pytest.mark.parametrize("wrong", ["", "short", "ABCDEFGHIJKL", "abcdefghijk1", "abcdefghijk", "äbcdefghijkl"])
def test_what_is_no_id_is_refused(wrong: str) -> None:
    with pytest.raises(DatabaseError, match="is no document's id"):
        identity.docs_of(["abcdefghijkl", wrong])
