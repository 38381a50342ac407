"""How a statement is written for Postgres."""

import pytest

from toolkit.db.postgres.sql import Renderer


@pytest.mark.parametrize(
    ("sql", "rendered"),
    [
        ("SELECT :a, :b, :a", "SELECT $1, $2, $1"),
        ("SELECT ':a' || :a::text", "SELECT ':a' || $1::text"),
        ("SELECT E'it\\'s :b', 'it''s :b', :a", "SELECT E'it\\'s :b', 'it''s :b', $1"),
        ("SELECT $$ :b $$, $x$ :b $$ $x$, :a", "SELECT $$ :b $$, $x$ :b $$ $x$, $1"),
        ('SELECT ":b" -- :b\n, :a /* :b */', 'SELECT ":b" -- :b\n, $1 /* :b */'),
        ("SELECT x[1:2], :a", "SELECT x[1:2], $1"),
        ("SELECT * FROM models m JOIN calls ON TRUE", 'SELECT * FROM "s".models m JOIN "s".calls ON TRUE'),
        ("INSERT INTO models (id) VALUES (:a)", 'INSERT INTO "s".models (id) VALUES ($1)'),
        ("UPDATE models SET name = :a FROM calls", 'UPDATE "s".models SET name = $1 FROM "s".calls'),
        ("delete from Models where 'from models' = ''", "delete from \"s\".Models where 'from models' = ''"),
        ("SELECT models.name FROM other", "SELECT models.name FROM other"),
        ("SELECT calls IS DISTINCT FROM models FROM models", 'SELECT calls IS DISTINCT FROM models FROM "s".models'),
        ("INSERT INTO models DEFAULT VALUES ON CONFLICT (id) DO UPDATE SET name = models.name",
         'INSERT INTO "s".models DEFAULT VALUES ON CONFLICT (id) DO UPDATE SET name = models.name'),
    ],
)  # fmt: skip
def test_values_and_tables_are_found_where_they_are_meant(sql: str, rendered: str) -> None:
    renderer = Renderer("s", frozenset({"models", "calls"}))
    assert renderer.render(sql, {"a": 1, "b": 2})[0] == rendered


def test_json_goes_by_way_of_text_and_nothing_else_does() -> None:
    renderer = Renderer("s", frozenset())
    text, values = renderer.render("SELECT :a, :b, :c", {"a": [1], "b": None, "c": "x"})
    assert text == "SELECT CAST(CAST($1 AS TEXT) AS JSONB), $2, $3"
    assert values == ["[1]", None, "x"]
