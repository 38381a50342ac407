"""Conditions on documents mean the same on both databases, and are never more than values to them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.index.shelf import prepared
from toolkit import stamps
from toolkit.db import Database
from toolkit.errors import ConfigError
from toolkit.search import where as conditions
from toolkit.search.cutting.chunker import document_id
from toolkit.search.index import Index
from toolkit.search.index.identity import ids_of
from toolkit.search.store import DocumentStore

ODD = (
    "a",
    "a.b",
    "b",
    "x y",
    "'",
    '"',
    "\\",
    "$",
    "$.a",
    "é",
    "日本",
    "🙂",
    "%",
    "[0]",
    "",
    "key",
    "type",
    "NULL",
    "{}",
)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0, -2.25, 1e-7, 1e22, 2**53 + 1, -(2**62)])
    | st.sampled_from(["", "a", "ab", "b'", "é", "日本語", "1", "true", "null", '"', "\\n", "%"])
)
keys = st.sampled_from(ODD)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)
metadatas = st.dictionaries(keys, values, max_size=4)
orders = st.sampled_from(["$gt", "$gte", "$lt", "$lte"])
numbers_and_texts = scalars.filter(lambda value: value is not None and not isinstance(value, bool))
comparisons = (
    scalars
    | st.lists(scalars, max_size=3)
    | st.fixed_dictionaries({}, optional={"$eq": scalars, "$ne": scalars, "$in": st.lists(scalars, max_size=3)})
    | st.dictionaries(st.just("$nin"), st.lists(scalars, max_size=3), min_size=1)
    | st.dictionaries(orders, numbers_and_texts, min_size=1, max_size=2)
    | st.dictionaries(st.just("$exists"), st.booleans(), min_size=1)
    | st.dictionaries(st.just("$contains"), scalars, min_size=1)
    | st.dictionaries(st.just("$prefix"), st.sampled_from(["", "a", "é", "日", "%"]), min_size=1)
).filter(lambda value: value != {})
names = st.sampled_from([*(n for n in ODD if not n.startswith("$")), "metadata.$", "a.é", "metadata.kind", "b.a.b"])
wheres = st.recursive(
    st.dictionaries(names, comparisons, max_size=2),
    lambda inner: (
        st.dictionaries(st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1, max_size=3), max_size=1)
        | st.dictionaries(st.just("$not"), inner, max_size=1)
    ),
    max_leaves=4,
)

ABSENT = object()


def lies(metadata: Any, name: str) -> Any:
    """What a name refers to."""
    name = name.removeprefix("metadata.")
    if name in metadata:
        return metadata[name]
    for key in name.split(".") if "." in name else [name]:
        if not isinstance(metadata, dict) or key not in metadata:
            return ABSENT
        metadata = metadata[key]
    return metadata


def same(one: Any, other: Any) -> bool:
    if other is None:
        return one is None or one is ABSENT
    kinds = [
        bool if isinstance(each, bool) else float if isinstance(each, int | float) else str for each in (one, other)
    ]
    return not isinstance(one, dict | list) and one is not ABSENT and kinds[0] == kinds[1] and bool(one == other)


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def compared(value: Any, operator: str, operand: Any) -> bool:
    """Whether a comparison holds, in Python."""
    signs: dict[str, Callable[[Any, Any], bool]] = {
        "$gt": lambda a, b: a > b,
        "$gte": lambda a, b: a >= b,
        "$lt": lambda a, b: a < b,
        "$lte": lambda a, b: a <= b,
    }
    match operator:
        case "$eq":
            return same(value, operand)
        case "$ne":
            return not same(value, operand)
        case "$in":
            return any(same(value, each) for each in operand)
        case "$nin":
            return not any(same(value, each) for each in operand)
        case "$exists":
            return bool((value is not ABSENT) == operand)
        case "$contains":
            has = isinstance(value, list) and any(same(e, operand) for e in value if e is not None or operand is None)
            return has or (isinstance(value, str) and isinstance(operand, str) and operand in value)
        case "$prefix":
            return isinstance(value, str) and value.startswith(operand)
        case _:
            alike = (number(value) and number(operand)) or (isinstance(value, str) and isinstance(operand, str))
            return alike and signs[operator](value, operand)


def holds(metadata: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Whether a condition holds, in Python."""
    for name, wanted in where.items():
        if name == "$and":
            fits = all(holds(metadata, each) for each in wanted)
        elif name == "$or":
            fits = any(holds(metadata, each) for each in wanted)
        elif name == "$not":
            fits = not holds(metadata, wanted)
        elif isinstance(wanted, dict):
            fits = all(compared(lies(metadata, name), operator, operand) for operator, operand in wanted.items())
        else:
            fits = compared(lies(metadata, name), "$in" if isinstance(wanted, list) else "$eq", wanted)
        if not fits:
            return False
    return True


async def found(db: Database, where: Mapping[str, Any], collections: Sequence[str] = ("default",)) -> list[str]:
    """The sources of the documents that satisfy a condition."""
    docs = await Index(db).documents_where(collections, where)
    assert docs is not None
    assert docs.tolist() == sorted(docs.tolist())
    ids = set(ids_of(docs))
    rows = await db.fetch_all("SELECT id, source FROM documents ORDER BY source")
    return [row["source"] for row in rows if row["id"] in ids]


@pytest.mark.parametrize("seed", range(2))
async def test_any_condition_finds_the_same_documents_as_python_does(db: Database, seed: int) -> None:
    store, loop = DocumentStore(db), asyncio.get_running_loop()
    checked = 0

    def check(metadata: Sequence[dict[str, Any]], asked: Sequence[Mapping[str, Any]]) -> None:
        asyncio.run_coroutine_threadsafe(compare(metadata, asked), loop).result(60)

    async def compare(metadata: Sequence[dict[str, Any]], asked: Sequence[Mapping[str, Any]]) -> None:
        nonlocal checked
        await store.put_many([prepared(f"{n:02}", "text") for n in range(len(metadata))])
        for n, each in enumerate(metadata):
            await db.execute("UPDATE documents SET metadata = :m WHERE source = :s", m=each, s=f"{n:02}")
        for where in filter(None, asked):
            expected = [f"{n:02}" for n, each in enumerate(metadata) if holds(each, where)]
            assert await found(db, where) == expected, where
            checked += 1
        await db.execute("DELETE FROM documents")

    @settings(max_examples=12, deadline=None, derandomize=True)
    @given(
        metadata=st.lists(metadatas, min_size=6, max_size=12),
        asked=st.lists(wheres, min_size=8, max_size=14 + seed),
    )
    def run(metadata: list[dict[str, Any]], asked: list[dict[str, Any]]) -> None:
        check(metadata, asked)

    await asyncio.to_thread(run)
    assert checked > 20


@pytest.fixture
async def shelf(db: Database) -> Database:
    store = DocumentStore(db)
    with stamps.freeze(START):
        await store.put(prepared("notes/a.md", "text", lang="en", year=2020, tags=["x", "y"], author={"name": "Ada"}))
    with stamps.freeze(START + timedelta(days=1)):
        await store.put(prepared("notes/b.md", "text", lang="de", year=2024.5, draft=True, kind="odd"))
        await store.put(prepared("c.md", "text", collection="other", lang="en"))
    return db


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"lang": "en"}, "a"),
        ({"lang": ["en", "de"]}, "ab"),
        ({"lang": []}, ""),
        ({"year": 2020.0}, "a"),
        ({"year": "2020"}, ""),
        ({"year": {"$gte": 2020, "$lt": 2024.6}}, "ab"),
        ({"year": {"$gt": "2020"}}, ""),
        ({"draft": True}, "b"),
        ({"draft": 1}, ""),
        ({"draft": None}, "a"),
        ({"draft": {"$exists": False}}, "a"),
        ({"draft": {"$ne": True}}, "a"),
        ({"tags": {"$contains": "x"}}, "a"),
        ({"lang": {"$contains": "e"}}, "ab"),
        ({"lang": {"$prefix": "d"}}, "b"),
        ({"author.name": "Ada"}, "a"),
        ({"author.name.x": "Ada"}, ""),
        ({"kind": "text"}, "ab"),
        ({"metadata.kind": "odd"}, "b"),
        ({"source": {"$prefix": "notes/"}}, "ab"),
        ({"source": {"$contains": "b."}}, "b"),
        ({"source": {"$gt": "notes/a.md"}}, "b"),
        ({"title": "notes/a.md"}, "a"),
        ({"root": ""}, "ab"),
        ({"root": 5}, ""),
        ({"language": None}, "ab"),
        ({"language": {"$exists": True}}, ""),
        ({"language": {"$ne": "python"}}, "ab"),
        ({"language": {"$nin": ["python", None]}}, ""),
        ({"created_at": {"$gte": "2026-03-02"}}, "b"),
        ({"created_at": {"$lt": START + timedelta(hours=1)}}, "a"),
        ({"updated_at": {"$gt": "2026-03-01T14:01:00+02:00", "$lte": "2026-03-02T12:00:00"}}, ""),
        ({"created_at": {"$exists": True}}, "ab"),
        ({"created_at": None}, ""),
        ({"$or": [{"lang": "en"}, {"draft": True}]}, "ab"),
        ({"$and": [{"lang": "en"}, {"draft": True}]}, ""),
        ({"$not": {"lang": "en"}}, "b"),
        ({"lang": "en", "$not": {"$or": [{"year": 2020}]}}, ""),
        ({"'; DROP TABLE documents; --": "x"}, ""),
        ({"lang": "en' OR '1'='1"}, ""),
        ({"lang') OR (1=1": {"$ne": "x"}}, "ab"),
    ],
)
async def test_what_a_condition_means(shelf: Database, where: dict[str, Any], expected: str) -> None:
    assert await found(shelf, where) == [f"notes/{name}.md" for name in expected]


async def test_only_the_collections_that_are_asked_for_are_looked_at(shelf: Database) -> None:
    assert await found(shelf, {"lang": "en"}, ["other"]) == ["c.md"]
    assert await found(shelf, {"lang": "en"}, ["default", "other"]) == ["c.md", "notes/a.md"]
    assert await found(shelf, {"lang": "en"}, ["none"]) == []
    assert await Index(shelf).documents_where(["default"], None) is None
    assert await Index(shelf).documents_where(["default"], {}) is None
    assert document_id("other", "c.md") in ids_of(await Index(shelf).documents_where(["other"], {"lang": "en"}))  # type: ignore[arg-type]


async def test_what_is_asked_again_is_asked_of_the_database_only_after_a_write(
    shelf: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, fetch, asked = Index(shelf), shelf.fetch_one, 0

    async def counted(*arguments: Any, **rest: Any) -> Any:
        nonlocal asked
        asked += 1
        return await fetch(*arguments, **rest)

    monkeypatch.setattr(shelf, "fetch_one", counted)

    async def ask(where: dict[str, Any]) -> int:
        await index.sync(["default"])
        docs = await index.documents_where(["default"], where)
        assert docs is not None
        return len(docs)

    assert [await ask({"lang": "en"}), await ask({"lang": "en"}), await ask({"lang": "de"})] == [1, 1, 1]
    assert asked == 2
    await DocumentStore(shelf).put(prepared("new", "text", lang="en"))
    asked = 0
    assert [await ask({"lang": "en"}), await ask({"lang": "en"})] == [2, 2]
    assert asked == 1
    for n in range(40):
        assert await ask({"lang": f"{n}"}) == 0
    assert await ask({"lang": "en"}) == 2


@pytest.mark.parametrize(
    ("where", "match"),
    [
        ("x", "is no condition"),
        ({1: 2}, "is no name"),
        ({"$nor": []}, r"is none of \$and, \$or, \$not; a key .* is 'metadata.\$nor'"),
        ({"$and": []}, "needs a list of conditions"),
        ({"$or": {"a": 1}}, "needs a list of conditions"),
        ({"$or": [1]}, "is no condition"),
        ({"$not": 1}, "is no condition"),
        ({"a": {"b": 1}}, "what lies deeper is 'a.key'"),
        ({"a": {}}, "the operators are"),
        ({"a": {"$gte": 1, "b": 2}}, "the operators are"),
        ({"a": {"$in": 1}}, "need a list"),
        ({"a": {"$gt": True}}, "needs a number or a text"),
        ({"a": {"$gt": None}}, "needs a number or a text"),
        ({"a": {"$exists": 1}}, "needs true or false"),
        ({"a": {"$prefix": 1}}, "needs a text"),
        ({"a": [[1]]}, "can compare with a text or number only"),
        ({"a": float("inf")}, "can compare with a text or number only"),
        ({"a": float("nan")}, "can compare with a text or number only"),
        ({"a": 2**63}, "can compare with a text or number only"),
        ({"a": b"x"}, "can compare with a text or number only"),
        ({"a": "x\0"}, "which no document can have"),
        ({"\ud800": "x"}, "which no document can have"),
        ({"created_at": "yesterday"}, "a time is written like"),
        ({"created_at": {"$gt": 5}}, "a time is written like"),
        ({"created_at": {"$prefix": "2026"}}, "is not for times"),
        ({"$and": [{"a": 1}] * 201}, "more than 200 comparisons"),
    ],
)
def test_what_is_no_condition_is_refused_in_words(where: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        conditions.check(where)


def test_conditions_within_conditions_have_an_end() -> None:
    where: dict[str, Any] = {"a": 1}
    for _ in range(30):
        where = {"$not": where}
    with pytest.raises(ConfigError, match="is no condition"):
        conditions.check(where)
