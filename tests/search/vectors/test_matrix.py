"""The vectors of a collection in memory."""

import sys
from threading import Thread

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.vectors.test_quantise import units
from toolkit.search.vectors import Matrix, Quantised, quantise, restore
from toolkit.search.vectors import matrix as module
from toolkit.search.vectors.quantise import Floats

FEW = 8


def hashes(count: int, seed: int = 0) -> npt.NDArray[np.uint64]:
    """Distinct ones, over the whole range of 64 bits."""
    found = np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)
    assert len(np.unique(found)) == count
    return found


@pytest.fixture(scope="module")
def vectors() -> Floats:
    return units(2_000)


@pytest.fixture
def matrix(vectors: Floats) -> Matrix:
    made = Matrix(384)
    made.append(hashes(len(vectors)), quantise(vectors))
    return made


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows, so that a test has many of them."""
    monkeypatch.setattr(module, "BLOCK", 16)
    monkeypatch.setattr(module, "TAKEN_OVER", 12)
    monkeypatch.setattr(module, "_FIRST", 2)


def test_a_scan_gives_the_cosine_of_every_row(matrix: Matrix, vectors: Floats) -> None:
    query = units(1, seed=7)[0]
    found = matrix.scan(query)
    assert found.dtype == np.float32
    assert np.abs(found - vectors @ query).max() < 0.002


def test_a_vector_finds_itself_first(matrix: Matrix, vectors: Floats) -> None:
    rows, cosines = matrix.top(vectors[123], 3)
    assert rows[0] == 123
    assert cosines[0] == pytest.approx(1.0, abs=0.001)
    assert cosines.tolist() == sorted(cosines.tolist(), reverse=True)


@pytest.mark.parametrize("k", [1, 10, 1_999, 2_000, 5_000])
def test_the_best_k_are_those_of_a_full_sort(matrix: Matrix, k: int) -> None:
    query = units(1, seed=8)[0]
    cosines = matrix.scan(query)
    rows, best = matrix.top(query, k)
    expected = np.lexsort((np.arange(len(cosines)), -cosines))[:k]
    assert rows.tolist() == expected.tolist()
    assert best.tolist() == cosines[expected].tolist()


def test_of_equally_near_rows_the_earlier_ones_are_found() -> None:
    matrix = Matrix(FEW)
    matrix.append(hashes(50), quantise(np.repeat(units(1, FEW), 50, axis=0)))
    assert matrix.top(units(1, FEW)[0], 5)[0].tolist() == [0, 1, 2, 3, 4]


def test_only_allowed_rows_are_found_and_rows_that_came_later_are_not(matrix: Matrix, vectors: Floats) -> None:
    allowed = np.zeros(len(matrix), np.bool_)
    allowed[[5, 77, 1_234]] = True
    matrix.append(hashes(10, seed=3), quantise(vectors[:10]))
    rows, _ = matrix.top(vectors[0], 5, allowed=allowed)
    assert sorted(rows.tolist()) == [5, 77, 1_234]
    assert matrix.top(vectors[0], 5, allowed=np.zeros(len(matrix), np.bool_))[0].tolist() == []


def test_some_rows_are_scanned_in_the_order_asked_for_and_a_missing_one_is_not_a_number(matrix: Matrix) -> None:
    query = units(1, seed=9)[0]
    some = matrix.scan_rows(query, [1_999, -1, 0, 700])
    assert np.isnan(some[1])
    assert np.allclose(some[[0, 2, 3]], matrix.scan(query)[[1_999, 0, 700]])
    assert matrix.scan_rows(query, []).tolist() == []


def test_a_hash_is_found_in_its_row_and_an_unknown_one_nowhere(matrix: Matrix) -> None:
    known = hashes(2_000)
    assert matrix.rows_of(known).tolist() == list(range(2_000))
    assert matrix.rows_of(hashes(5, seed=99)).tolist() == [-1] * 5
    assert matrix.rows_of(known[[3, 2]]).tolist() == [3, 2]
    assert matrix.hashes.tolist() == known.tolist()


@pytest.mark.usefixtures("small_blocks")
def test_a_hash_that_is_there_already_keeps_its_vector() -> None:
    matrix = Matrix(FEW)
    old, new = quantise(units(3, FEW, seed=1)), quantise(units(3, FEW, seed=2))
    names = hashes(4)
    assert matrix.append(names[:3], old) == 3
    assert matrix.append(names[[1, 3, 3]], new) == 1
    assert len(matrix) == 4
    assert (matrix.take([0, 1, 2]).rows == old.rows).all()
    assert (matrix.take([3]).rows == new.rows[1]).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=12))
def test_however_rows_arrive_the_matrix_is_the_same(sizes: list[int]) -> None:
    patch = pytest.MonkeyPatch()
    for name, value in {"BLOCK": 16, "TAKEN_OVER": 12, "_FIRST": 2}.items():
        patch.setattr(module, name, value)
    try:
        names, kept = hashes(sum(sizes)), quantise(units(sum(sizes), FEW))
        matrix, start = Matrix(FEW), 0
        for size in sizes:
            part = slice(start, start + size)
            matrix.append(names[part], kept.take(np.arange(*part.indices(len(names)))))
            start += size
        query = units(1, FEW, seed=5)[0]
        assert np.allclose(matrix.scan(query), restore(kept) @ query, atol=0.02)
        assert matrix.rows_of(names).tolist() == list(range(len(names)))
        assert (matrix.take(np.arange(len(names))).rows == kept.rows).all()
        assert matrix.hashes.tolist() == names.tolist()
    finally:
        patch.undo()


def test_a_large_part_is_taken_over_without_a_copy() -> None:
    count = module.TAKEN_OVER
    rows = np.frombuffer(bytes(count * FEW), np.int8).reshape(count, FEW)
    scales = np.frombuffer(bytes(count * 4), np.float32)
    matrix = Matrix(FEW)
    matrix.append(np.arange(count, dtype=np.uint64), Quantised(scales, rows))
    assert np.shares_memory(matrix._state.blocks[0].matrix, rows)
    assert matrix.append(np.arange(count, count + 5, dtype=np.uint64), quantise(units(5, FEW))) == 5
    assert len(matrix) == count + 5


@pytest.mark.usefixtures("small_blocks")
def test_growing_copies_no_more_than_one_block() -> None:
    matrix = Matrix(FEW)
    names, kept = hashes(100), quantise(units(100, FEW))
    for row in range(100):
        matrix.append(names[row : row + 1], kept.take(np.array([row])))
    full = matrix._state.blocks[:-1]
    assert {block.rows for block in full} == {16}
    matrix.append(hashes(1, seed=4), kept.take(np.array([0])))
    assert all(np.shares_memory(a.matrix, b.matrix) for a, b in zip(full, matrix._state.blocks, strict=False))


def test_a_row_takes_its_bytes_a_scale_and_twenty_bytes_for_its_hash() -> None:
    matrix = Matrix(384)
    count = module.BLOCK
    matrix.append(np.arange(count, dtype=np.uint64), quantise(np.ones((count, 384), np.float32)))
    assert matrix.nbytes == count * (384 + 4 + 8 + 12)


def test_a_matrix_without_rows_finds_nothing() -> None:
    matrix = Matrix(FEW)
    query = units(1, FEW)[0]
    assert (len(matrix), matrix.nbytes, matrix.scan(query).tolist(), matrix.hashes.tolist()) == (0, 0, [], [])
    assert matrix.top(query, 3)[0].tolist() == []
    assert matrix.rows_of([1, 2]).tolist() == [-1, -1]
    assert matrix.append(np.empty(0, np.uint64), quantise(np.empty((0, FEW), np.float32))) == 0


@pytest.mark.parametrize(("rows", "scales"), [((2, FEW + 1), 2), ((3, FEW), 3), ((2, FEW), 1)])
def test_shapes_that_do_not_belong_together_are_refused_and_nothing_is_added(
    rows: tuple[int, int], scales: int
) -> None:
    matrix = Matrix(FEW)
    with pytest.raises(ValueError, match="do not fit a matrix of dimension 8"):
        matrix.append([1, 2], Quantised(np.ones(scales, np.float32), np.ones(rows, np.int8)))
    assert len(matrix) == 0


def test_a_query_of_another_dimension_and_rows_that_are_not_there_are_refused() -> None:
    matrix = Matrix(FEW)
    matrix.append([1], quantise(units(1, FEW)))
    with pytest.raises(ValueError, match="dimension 8"):
        matrix.scan(units(1, 4)[0])
    with pytest.raises(IndexError, match="with 1"):
        matrix.take([0, 1])


def test_a_reader_sees_a_prefix_of_whole_appends_while_a_writer_adds() -> None:
    """Row i of the matrix is the i-th unit vector, so that a scan tells which rows it saw."""
    part, parts = 5, 300
    matrix = Matrix(FEW)
    names = hashes(part * parts)
    kept = quantise(np.ones((part, FEW), np.float32) / np.sqrt(np.float32(FEW)))
    seen: list[int] = []
    wrong: list[str] = []

    def read() -> None:
        query = np.ones(FEW, np.float32) / np.sqrt(np.float32(FEW))
        while not seen or seen[-1] < part * parts:
            found = matrix.scan(query)
            if len(found) % part or not np.allclose(found, 1, atol=0.01):
                wrong.append(f"{len(found)} rows")
            if (matrix.rows_of(names[: len(found)]) < 0).any():
                wrong.append("a row without its hash")
            seen.append(len(found))

    readers = [Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(parts):
        matrix.append(names[number * part : (number + 1) * part], kept)
    for reader in readers:
        reader.join()
    assert wrong == []


def test_scans_do_not_use_up_references_to_none() -> None:
    matrix = Matrix(8)
    matrix.append(np.arange(64, dtype=np.uint64), quantise(np.eye(8, dtype=np.float32)[np.arange(64) % 8]))
    query = np.eye(8, dtype=np.float32)[0]
    before = sys.getrefcount(None)
    for _ in range(500):
        matrix.scan(query)
        matrix.scan_rows(query, np.arange(8))
    assert sys.getrefcount(None) > before - 100  # since Python 3.12 None is immortal, and this always holds
