"""Many rows go in as one step of a list, on both databases alike."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.db.rows import count, model, names
from toolkit import stamps
from toolkit.db import Database, Row, Rows, Statement, as_json, as_time
from toolkit.db.postgres import lease
from toolkit.errors import Conflict, DatabaseError, NotFound

COLUMNS = {
    "id": "TEXT",
    "name": "TEXT",
    "provider": "TEXT",
    "model": "TEXT",
    "priority": "BIGINT",
    "enabled": "BOOLEAN",
    "is_default": "BOOLEAN",
    "auth": "JSONB",
    "config": "JSONB",
    "created_at": "TIMESTAMPTZ",
    "updated_at": "TIMESTAMPTZ",
}
AT = datetime(2026, 3, 1, 12, 0, 0, 1, UTC)


def row(name: str, priority: int = 100, config: Any = None) -> tuple[Any, ...]:
    return (stamps.new_id(), name, "scripted", "m", priority, True, False, {}, config or {}, AT, AT)


def models(*rows: tuple[Any, ...], conflict: str = "") -> Rows:
    return Rows("models", COLUMNS, rows, conflict)


def blobs(*rows: tuple[Any, ...]) -> Rows:
    return Rows("postings", {"segment": "BIGINT", "block": "BIGINT", "body": "BYTEA"}, rows)


async def kept(db: Database, name: str) -> Row:
    found = await db.fetch_one("SELECT * FROM models WHERE name = :name", name=name)
    assert found
    return found


async def test_every_value_arrives_as_a_statement_would_have_brought_it(db: Database) -> None:
    odd = "Größe \\ ' \" :name $1 ? 🙂 {NULL} \\N, \t\n"
    config = {"ß": [1.5, None, True, {}], "a": odd, "big": 2**63 - 1}
    await db.write(models(row(odd, -(2**63), config), row("plain")), blobs((2**63 - 1, 0, b"\0\xff"), (1, 0, b"")))
    found = await kept(db, odd)
    assert (found["priority"], bool(found["enabled"]), bool(found["is_default"])) == (-(2**63), True, False)
    assert as_json(found["config"]) == config
    assert as_time(found["created_at"]) == AT
    rows = await db.fetch_all("SELECT segment, body FROM postings ORDER BY segment")
    assert [(each["segment"], bytes(each["body"])) for each in rows] == [(1, b""), (2**63 - 1, b"\0\xff")]
    await db.write(model("single", config=config, now=AT))
    assert as_json((await kept(db, "single"))["config"]) == config
    assert as_time((await kept(db, "single"))["created_at"]) == AT


async def test_a_list_gives_no_rows_for_them_and_the_others_keep_their_places(db: Database) -> None:
    found = await db.write(model("a"), models(row("b"), row("c")), model("d"), models())
    assert [len(rows) for rows in found] == [1, 0, 1, 0]
    assert await names(db) == ["a", "b", "c", "d"]


async def test_null_is_kept_as_null_in_columns_of_every_kind(db: Database) -> None:
    columns = {"id": "TEXT", "collection": "TEXT", "source": "TEXT", "title": "TEXT", "kind": "TEXT"}
    rest = {"language": "TEXT", "metadata": "JSONB", "content_hash": "TEXT", "bytes": "BIGINT", "chunks": "BIGINT"}
    times = {"root": "TEXT", "created_at": "TIMESTAMPTZ", "updated_at": "TIMESTAMPTZ"}
    rows: list[tuple[Any, ...]] = [(name, "c", name, "t", "text", None, {}, "h", 1, 1, "", AT, AT) for name in "ab"]
    await db.write(Rows("documents", columns | rest | times, rows))
    jobs = {"id": "TEXT", "kind": "TEXT", "status": "TEXT", "total": "BIGINT", "options": "JSONB"}
    more = {
        "fingerprint": "TEXT",
        "worker_until": "TIMESTAMPTZ",
        "created_at": "TIMESTAMPTZ",
        "updated_at": "TIMESTAMPTZ",
    }
    await db.write(Rows("jobs", jobs | more, [("j", "k", "s", 1, {}, "f", until, AT, AT) for until in (None,)]))
    assert await db.fetch_all("SELECT language FROM documents") == [{"language": None}] * 2
    assert await db.fetch_all("SELECT worker_until FROM jobs") == [{"worker_until": None}]


async def test_what_is_there_already_is_a_conflict_and_undoes_the_whole_list(db: Database) -> None:
    await db.write(models(row("there")))
    for lists in ([models(row("new"), row("there"))], [model("first"), models(row("new"), row("there"))]):
        with pytest.raises(Conflict):
            await db.write(*lists)
    with pytest.raises(Conflict):
        await db.write(models(row("twice"), row("twice")))
    assert await names(db) == ["there"]


async def test_what_is_there_already_may_be_overwritten_or_left(db: Database) -> None:
    await db.write(models(row("a"), row("b")))
    overwrite = "ON CONFLICT (name) DO UPDATE SET priority = excluded.priority WHERE models.name <> 'b'"
    await db.write(models(row("a", 7), row("b", 7), row("c", 7), conflict=overwrite))
    await db.write(models(row("a", 8), row("d", 8), conflict="ON CONFLICT DO NOTHING"))
    assert [await count(db, name) for name in "abcd"] == [7, 100, 7, 8]


async def test_a_list_that_fails_later_takes_them_along(db: Database) -> None:
    missing = NotFound("nothing")
    with pytest.raises(NotFound):
        await db.write(
            models(row("a")), Statement("UPDATE models SET priority = 1 WHERE name = 'x' RETURNING id", {}, missing)
        )
    assert await names(db) == []


async def test_lists_of_many_subjects_at_once_keep_every_row_and_fail_alone(db: Database) -> None:
    await db.write(models(row("there")))

    async def keep(number: int) -> bool:
        rows = [row(f"{number:02}-{n:03}") for n in range(40)]
        if number % 5 == 0:
            rows.append(row("there"))
        try:
            await db.write(model(f"{number:02}"), models(*rows), subject=f"{number}")
        except Conflict:
            return False
        return True

    done = await asyncio.gather(*(keep(number) for number in range(20)))
    assert done == [number % 5 != 0 for number in range(20)]
    assert len(await names(db)) == 1 + 16 * 41


async def test_more_than_fits_into_one_message_goes_in_as_well(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "PIPELINE", 5_000)
    bodies = [bytes([n]) * 3_000 for n in range(4)]
    await asyncio.gather(
        *(
            db.write(blobs(*((subject, n, body) for n, body in enumerate(bodies))), subject=f"{subject}")
            for subject in range(6)
        )
    )
    found = await db.fetch_all("SELECT segment, block, body FROM postings ORDER BY segment, block")
    assert [bytes(each["body"]) for each in found] == bodies * 6


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (("i", "nul \0"), "contains the character NUL"),
        (("i", "half \ud800"), "contains half of a character"),
        (("i",), "need 11 values each"),
        (("i", "n", "p", "m", 1, True, False, {"x": float("nan")}, {}, AT, AT), "cannot be kept as JSON"),
        (("i", "n", "p", "m", 1, True, False, {}, {}, datetime(2026, 1, 1), AT), "has no time zone"),  # noqa: DTZ001 - that is it
    ],
)
async def test_what_no_database_can_keep_is_refused_in_plain_words(
    db: Database, wrong: tuple[Any, ...], match: str
) -> None:
    whole = (*wrong, *row("x")[len(wrong) :]) if len(wrong) > 1 else wrong
    with pytest.raises(DatabaseError, match=match):
        await db.write(models(row("good"), whole))
    assert await names(db) == []
