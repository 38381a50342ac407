"""Conditions on documents, `where=`, as SQL for both databases; what a caller writes is only ever bound as a value.

A condition is a mapping; all of its entries must hold:

    {"kind": "code", "lang": ["en", "de"], "year": {"$gte": 2020, "$lt": 2025}, "$or": [{"draft": False}, …]}

A name is a field of the document (`FIELDS`) or a key of its metadata, a dotted one for what lies deeper: `author.name`.
A key that has dots itself is found, too. `metadata.kind` is the key `kind` of the metadata, and `metadata.$x` the key
`$x`. A value is compared as JSON has it: 1 is 1.0, but neither true nor "1". None is what is null or not there.

| a name's value | holds where |
|---|---|
| text, number, true or false, None | it is equal |
| a list of these | one of them is |
| `{"$eq": v}`, `{"$in": [v, …]}` | the same two |
| `{"$ne": v}`, `{"$nin": [v, …]}` | they do not hold, also where nothing is there |
| `{"$gt": v}`, `$gte`, `$lt`, `$lte` | a number is compared with a number, or text with text by code points |
| `{"$exists": true}` | it is there, be it null |
| `{"$contains": v}` | a list has the element, or a text the part |
| `{"$prefix": "a"}` | a text begins so |

`{"$and": [c, …]}`, `{"$or": [c, …]}` and `{"$not": c}` combine conditions. Times (`created_at`, `updated_at`) are
compared with datetimes or ISO 8601 texts; one without a time zone is UTC.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from toolkit.db import Sql
from toolkit.errors import ConfigError

TEXTS: Final = ("kind", "language", "source", "title", "root")
TIMES: Final = ("created_at", "updated_at")
FIELDS: Final = (*TEXTS, *TIMES)
"""What a document is asked for beside the keys of its metadata; these names win."""

MOST: Final = 200
"""Comparisons of one condition; each is made for every document."""

_DEEPEST = 20
_LARGEST = 2**63 - 1
_OF_METADATA = "metadata."
_ORDER = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_OPERATORS = ("$eq", "$ne", "$in", "$nin", *_ORDER, "$exists", "$contains", "$prefix")
_NEVER = Sql("0", "FALSE")

Scalar: TypeAlias = str | int | float | bool | datetime | None


def query(where: Mapping[str, Any], keys: Sequence[str]) -> tuple[Sql, dict[str, Any]]:
    """A query with one row, whose column `ids` are the ids of all documents that fit, one behind the other.

    Args:
        where: the condition.
        keys: of the collections to look in.

    Raises:
        ConfigError: it is no condition; the message says why not.
    """
    writer = _Writer()
    condition = writer.all_of(where, 0)
    sqlite = "SELECT group_concat(documents.id, '') AS ids FROM documents WHERE documents.collection IN "
    postgres = "SELECT string_agg(documents.id, '') AS ids FROM documents WHERE documents.collection IN "
    return (
        Sql(
            f"{sqlite} (SELECT value FROM json_each(:keys)) AND {condition.sqlite}",  # noqa: S608 - values are bound
            f"{postgres} (SELECT jsonb_array_elements_text(:keys)) AND {condition.postgres}",
        ),
        {**writer.values, "keys": list(keys)},
    )


def check(where: Mapping[str, Any]) -> None:
    """Raise ConfigError if it is no condition."""
    _Writer().all_of(where, 0)


@dataclass(slots=True)
class _Writer:
    """Writes conditions; each is true or false for every document, never NULL, so that it can be turned around."""

    values: dict[str, Any] = field(default_factory=dict)
    comparisons: int = 0

    def all_of(self, where: Mapping[str, Any], depth: int) -> Sql:
        if not isinstance(where, Mapping) or depth > _DEEPEST:
            raise ConfigError(_wrong(where, "is no condition; write {'name': value}"))
        parts = [self._entry(name, value, depth) for name, value in where.items()]
        return _joined(parts, " AND ") if parts else Sql("1", "TRUE")

    def _entry(self, name: object, value: Any, depth: int) -> Sql:
        if not isinstance(name, str):
            raise ConfigError(_wrong(name, "is no name; a condition's names are texts"))
        if name in ("$and", "$or"):
            if not isinstance(value, Sequence) or isinstance(value, str) or not value:
                raise ConfigError(f"{name} needs a list of conditions, at least one.")
            parts = [self.all_of(each, depth + 1) for each in value]
            return _joined(parts, " AND " if name == "$and" else " OR ")
        if name == "$not":
            return _turned(self.all_of(value, depth + 1))
        if name.startswith("$"):
            raise ConfigError(
                f"{name!r} is none of $and, $or, $not; a key of the metadata that is called so is 'metadata.{name}'."
            )
        if not isinstance(value, Mapping):
            return self._compared(name, "$in" if isinstance(value, list | tuple | set | frozenset) else "$eq", value)
        if not value or not all(isinstance(each, str) and each in _OPERATORS for each in value):
            raise ConfigError(
                f"where compares {name!r} with an object; what lies deeper is {name + '.key'!r}, and the operators "
                f"are {', '.join(_OPERATORS)}."
            )
        return _joined([self._compared(name, operator, operand) for operator, operand in value.items()], " AND ")

    def _compared(self, name: str, operator: str, operand: Any) -> Sql:
        if operator in ("$ne", "$nin"):
            return _turned(self._compared(name, "$eq" if operator == "$ne" else "$in", operand))
        if operator == "$in":
            if not isinstance(operand, list | tuple | set | frozenset):
                raise ConfigError(f"$in and $nin need a list; {name!r} has {operand!r}.")
            return _joined([self._compared(name, "$eq", each) for each in operand], " OR ") if operand else _NEVER
        self.comparisons += 1
        if self.comparisons > MOST:
            raise ConfigError(f"where has more than {MOST} comparisons; ask for less at once.")
        if operator == "$exists" and not isinstance(operand, bool):
            raise ConfigError(f"$exists needs true or false; {name!r} has {operand!r}.")
        if operator == "$prefix" and not isinstance(operand, str):
            raise ConfigError(f"$prefix needs a text; {name!r} has {operand!r}.")
        if operator in _ORDER and (isinstance(operand, bool) or not isinstance(operand, str | int | float | datetime)):
            raise ConfigError(f"{operator} needs a number or a text; {name!r} has {operand!r}.")
        if name in TIMES:
            return self._time(name, operator, operand)
        operand = _checked(name, operand)
        return self._text(name, operator, operand) if name in TEXTS else self._key(name, operator, operand)

    def _text(self, name: str, operator: str, operand: Scalar) -> Sql:
        column = f"documents.{name}"
        if operator == "$exists" or operand is None:
            missing = operator != "$exists" or not operand
            return _same(f"({column} IS {'' if missing else 'NOT '}NULL)")
        if not isinstance(operand, str):
            return _NEVER
        value = f"CAST(:{self._bound(operand)} AS TEXT)"
        match operator:
            case "$eq":
                return _certain(f"{column} = {value}")
            case "$contains":
                return _certain(f"instr({column}, {value}) > 0", f"strpos({column}, {value}) > 0")
            case "$prefix":
                return _certain(f"substr({column}, 1, length({value})) = {value}")
            case _:
                sign = _ORDER[operator]
                return _certain(f"{column} {sign} {value}", f'{column} COLLATE "C" {sign} {value}')

    def _time(self, name: str, operator: str, operand: Any) -> Sql:
        column = f"documents.{name}"
        if operator == "$exists" or operand is None:
            return _same("(1 = 1)" if operator == "$exists" and operand else "(1 = 0)")
        if operator not in ("$eq", *_ORDER):
            raise ConfigError(f"{operator} is not for times; compare {name!r} with $gt, $gte, $lt or $lte.")
        value = self._bound(_moment(name, operand))
        return _same(f"({column} {_ORDER.get(operator, '=')} :{value})")

    def _key(self, name: str, operator: str, operand: Scalar) -> Sql:
        name = name.removeprefix(_OF_METADATA)
        if "." not in name:
            return self._at([name], operator, operand)
        literal, nested = self._at([name], operator, operand), self._at(name.split("."), operator, operand)
        there = self._at([name], "$exists", operand=True)
        return _joined([_joined([there, literal], " AND "), _joined([_turned(there), nested], " AND ")], " OR ")

    def _at(self, path: Sequence[str], operator: str, operand: Scalar) -> Sql:
        """The condition on what lies at the end of a path of keys."""
        names = [self._bound(each) for each in path]
        json_value = "documents.metadata" + "".join(f" -> CAST(:{name} AS TEXT)" for name in names)
        if operator == "$exists":
            there = Sql(_lies(names, "1"), f"(({json_value}) IS NOT NULL)")
            return there if operand else _turned(there)
        if operand is None and operator == "$eq":
            something = _lies(names, "last.type <> 'null'")
            return Sql(f"(NOT {something})", f"(COALESCE(jsonb_typeof({json_value}), 'null') = 'null')")
        raw, written = self._bound(operand), self._bound(_written(operand))
        match operator:
            case "$eq":
                return Sql(_lies(names, _equal("last", operand, raw)), _equal_json(json_value, written))
            case "$contains":
                return _contains(names, json_value, operand, raw, written)
            case "$prefix":
                text = f"({json_value}) #>> '{{}}'"
                return Sql(
                    _lies(names, f"last.type = 'text' AND substr(last.value, 1, length(:{raw})) = :{raw}"),
                    _of_kind(json_value, "string", f"starts_with({text}, CAST(:{raw} AS TEXT))"),
                )
            case _:
                return _ordered(names, json_value, _ORDER[operator], operand, raw=raw, written=written)

    def _bound(self, value: Any) -> str:
        name = f"w{len(self.values)}"
        self.values[name] = value
        return name


def _lies(names: Sequence[str], condition: str) -> str:
    """SQLite: whether something lies at the end of a path, and the condition on it (`last`) holds."""
    tables = ["json_each(documents.metadata) AS p0"]
    tables += [
        f"json_each(CASE WHEN p{n - 1}.type = 'object' THEN p{n - 1}.value ELSE '{{}}' END) AS p{n}"
        for n in range(1, len(names))
    ]
    tables[-1] = tables[-1].rpartition(" AS ")[0] + " AS last"
    keys = [f"{'last' if n == len(names) - 1 else f'p{n}'}.key = :{name}" for n, name in enumerate(names)]
    return f"EXISTS (SELECT 1 FROM {' JOIN '.join(tables)} WHERE {' AND '.join(keys)} AND ({condition}))"  # noqa: S608 - ours


def _equal(entry: str, operand: Scalar, name: str) -> str:
    """SQLite: whether an entry of `json_each` is equal to a value."""
    match operand:
        case None:
            return f"{entry}.type = 'null'"
        case bool():
            return f"{entry}.type = '{'true' if operand else 'false'}'"
        case str():
            return f"{entry}.type = 'text' AND {entry}.value = :{name}"
        case _:
            return f"{entry}.type IN ('integer', 'real') AND {entry}.value = :{name}"


def _equal_json(json_value: str, written: str) -> str:
    return f"COALESCE(({json_value}) = CAST(CAST(:{written} AS TEXT) AS JSONB), FALSE)"


def _of_kind(json_value: str, kind: str, condition: str) -> str:
    """Postgres: whether a value is of a kind, and only then the condition, which could fail otherwise."""
    return f"(CASE WHEN jsonb_typeof({json_value}) = '{kind}' THEN {condition} ELSE FALSE END)"


def _contains(names: Sequence[str], json_value: str, operand: Scalar, raw: str, written: str) -> Sql:
    array = "json_each(CASE WHEN last.type = 'array' THEN last.value ELSE '[]' END) AS item"
    sqlite = f"EXISTS (SELECT 1 FROM {array} WHERE {_equal('item', operand, raw)})"  # noqa: S608 - values are bound
    has = f"({json_value}) @> CAST(CAST(:{written} AS TEXT) AS JSONB)"
    postgres = _of_kind(json_value, "array", has)
    if isinstance(operand, str):
        sqlite += f" OR (last.type = 'text' AND instr(last.value, :{raw}) > 0)"
        part = f"strpos(({json_value}) #>> '{{}}', CAST(:{raw} AS TEXT)) > 0"
        postgres = f"({postgres} OR {_of_kind(json_value, 'string', part)})"
    return Sql(_lies(names, sqlite), postgres)


def _ordered(names: Sequence[str], json_value: str, sign: str, operand: Scalar, *, raw: str, written: str) -> Sql:
    text = f"({json_value}) #>> '{{}}'"
    if isinstance(operand, str):
        compared = f'({text}) COLLATE "C" {sign} CAST(:{raw} AS TEXT)'
        return Sql(
            _lies(names, f"last.type = 'text' AND last.value {sign} :{raw}"), _of_kind(json_value, "string", compared)
        )
    compared = f"CAST({text} AS NUMERIC) {sign} CAST(CAST(:{written} AS TEXT) AS NUMERIC)"
    return Sql(
        _lies(names, f"last.type IN ('integer', 'real') AND last.value {sign} :{raw}"),
        _of_kind(json_value, "number", compared),
    )


def _same(sql: str) -> Sql:
    return Sql(sql, sql)


def _certain(sqlite: str, postgres: str | None = None) -> Sql:
    """False rather than unknown where a column is NULL."""
    return Sql(f"COALESCE({sqlite}, 0)", f"COALESCE({postgres or sqlite}, FALSE)")


def _joined(parts: Sequence[Sql], word: str) -> Sql:
    return Sql(*(f"({word.join(getattr(part, side) for part in parts)})" for side in ("sqlite", "postgres")))


def _turned(part: Sql) -> Sql:
    return Sql(f"(NOT {part.sqlite})", f"(NOT {part.postgres})")


def _written(operand: Scalar) -> str:
    return json.dumps(operand, ensure_ascii=False)


def _checked(name: str, operand: Any) -> Scalar:
    """A value that both databases can compare."""
    for text in (name, operand):
        if isinstance(text, str) and ("\0" in text or not _is_text(text)):
            raise ConfigError(f"where asks {name[:50]!r} for {operand!r}, which no document can have; correct it.")
    match operand:
        case None | bool() | str():
            return operand
        case int() if abs(operand) <= _LARGEST:
            return operand
        case float() if math.isfinite(operand):
            return operand
    raise ConfigError(f"where compares {name!r} with {operand!r}; it can compare with a text or number only.")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _moment(name: str, operand: Any) -> datetime:
    try:
        moment = operand if isinstance(operand, datetime) else datetime.fromisoformat(operand)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(
            f"where compares {name!r} with {operand!r}; a time is written like 2026-01-31T12:00:00Z."
        ) from None


def _wrong(what: object, why: str) -> str:
    return f"where: {what!r} {why}."
