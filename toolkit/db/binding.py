"""The `:named` values of a statement: found in its text, checked, and put in order; the hot path of both databases."""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from toolkit.db.database import Rows
from toolkit.db.statements import checked_text
from toolkit.errors import DatabaseError

Converter: TypeAlias = Callable[[str, Any], Any]
"""Makes a value fit for a database, given its name and itself."""

PARTS = r"""
    (?: \b e'(?:[^'\\]|\\.|'')*'            # text with escapes
      | '(?:[^']|'')*'                      # text
      | "(?:[^"]|"")*"                      # a quoted name
      | (?P<dollar>\$\w*\$).*?(?P=dollar)   # text between dollars
      | --[^\n]*                            # comments
      | /\*.*?\*/
      | ::                                  # a cast
      | \bDISTINCT\s+FROM\b                 # a comparison, followed by a value
    )
    | :(?P<value>[a-z_]\w*)
"""
"""What a statement is read as, for `(?xsi)`: things that are left as they are, and `:named` values."""

_PART = re.compile(f"(?xsi){PARTS}")


class Bound(NamedTuple):
    """Values as a database takes them.

    Attributes:
        values: in the order of their names' first places.
        structured: names of those that are JSON.
        size: bytes of all that has no fixed length, at most.
    """

    values: Sequence[Any]
    structured: tuple[str, ...]
    size: int


class Binder:
    """Binds values to the places of one statement.

    What has to be done depends on the types of the values, which are the same ones again and again: it is found out
    once for each combination. The texts of a row are checked all together, since hardly any has something wrong.

    Args:
        sql: a statement.
        converters: by type, what its values go through; other types stay as they are. Text is checked in any case.
        structured: the types that become JSON.
    """

    def __init__(self, sql: str, converters: Mapping[type, Converter], structured: tuple[type, ...]) -> None:
        self.names = tuple(dict.fromkeys(match["value"] for match in _PART.finditer(sql) if match["value"]))
        self._pick = _picker(self.names)
        self._converters = converters
        self._structured = structured
        self._plans: dict[tuple[type, ...], _Plan] = {}

    def bind(self, values: Mapping[str, Any]) -> Bound:
        """The statement's values out of `values`, which may hold more.

        Raises:
            DatabaseError: one is missing, or holds what a database cannot keep.
        """
        try:
            row = self._pick(values)
        except KeyError as error:
            raise DatabaseError(f"The statement has no value for :{error.args[0]}; pass it.") from error
        kinds = tuple(map(type, row))
        plan = self._plans.get(kinds)
        if plan is None:
            plan = self._plans[kinds] = self._plan(kinds)
        text = "".join(plan.texts(row))
        size = len(text)
        if not text.isascii() or "\0" in text:
            size *= 4
            for name, value in zip(self.names, row, strict=True):
                if isinstance(value, str):
                    checked_text(name, value)
        for place in plan.blobs:
            size += len(row[place])
        if not plan.conversions:
            return Bound(row, plan.structured, size)
        bound = list(row)
        for place, convert in plan.conversions:
            bound[place] = value = convert(self.names[place], bound[place])
            if type(value) is str:
                size += len(value) if value.isascii() else 4 * len(value)
        return Bound(bound, plan.structured, size)

    def _plan(self, kinds: tuple[type, ...]) -> "_Plan":
        texts = [place for place, kind in enumerate(kinds) if issubclass(kind, str)]
        blobs = tuple(place for place, kind in enumerate(kinds) if issubclass(kind, bytes))
        structured = tuple(self.names[place] for place, kind in enumerate(kinds) if issubclass(kind, self._structured))
        conversions = []
        for place, kind in enumerate(kinds):
            convert = next((c for base, c in self._converters.items() if issubclass(kind, base)), None)
            if convert:
                conversions.append((place, convert))
        return _Plan(_picker(texts), blobs, tuple(conversions), structured)


class _Plan(NamedTuple):
    """What is done with values of certain types: which are texts or bytes, are converted, or become JSON."""

    texts: Callable[[Any], tuple[Any, ...]]
    blobs: tuple[int, ...]
    conversions: tuple[tuple[int, Converter], ...]
    structured: tuple[str, ...]


def columns_of(rows: Rows, converters: Mapping[str, Converter]) -> tuple[list[Sequence[Any]], int]:
    """The values of `rows` column by column as a database takes them, and their bytes, at most.

    Args:
        rows: at least one.
        converters: by declared type, what values go through; those of other types stay as they are.

    Raises:
        DatabaseError: one of them is nothing that a database can keep, or a row has another number of values.
    """
    try:
        columns: list[Sequence[Any]] = list(zip(*rows.values, strict=True))
    except ValueError:
        columns = []
    if len(columns) != len(rows.columns):
        raise DatabaseError(f"Rows of {rows.table} need {len(rows.columns)} values each: {', '.join(rows.columns)}.")
    size = 0
    for place, (name, kind) in enumerate(rows.columns.items()):
        convert = converters.get(kind)
        if convert:
            columns[place] = [None if value is None else convert(name, value) for value in columns[place]]
        if kind in ("TEXT", "JSONB"):
            size += _length(name, columns[place])
        elif kind == "BYTEA":
            size += sum(len(value) for value in columns[place] if value is not None)
    return columns, size


def _length(name: str, texts: Sequence[str | None]) -> int:
    """The bytes of texts, at most, after a look at each."""
    there = [text for text in texts if text is not None]
    size = sum(map(len, there))
    if all(map(str.isascii, there)) and not any("\0" in text for text in there):
        return size
    for text in there:
        checked_text(name, text)
    return 4 * size


def numbered(sql: str, names: Sequence[str]) -> str:
    """`sql` with `?1` for the first of `names`, and so on."""
    return _PART.sub(lambda match: f"?{names.index(match['value']) + 1}" if match["value"] else match[0], sql)


def _picker(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Gives a tuple of what a mapping or a sequence has at `keys`; `itemgetter` does so for two or more only."""
    if len(keys) > 1:
        return itemgetter(*keys)
    return lambda values: tuple(values[key] for key in keys)
