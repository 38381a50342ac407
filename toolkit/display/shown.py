"""What makes an object of the toolkit show itself in a notebook: as HTML, in one line, as a table of pandas.

A class says in `_shown` what it is, as data; how that looks is decided in one place. It inherits `Shown` and is made by
`@dataclass(..., repr=False)`, since a dataclass would write a `__repr__` of its own. Nothing of this costs anything
before something is shown.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields, is_dataclass, replace
from datetime import datetime
from re import sub
from typing import TYPE_CHECKING, Any, TypeVar

from toolkit.display.card import MOST_ROWS, Card, Cell, Code, Figure, State, Table, line
from toolkit.redaction import redact

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

_NAMES = ("title", "name", "tool", "key", "source", "model", "role", "address")
_MOST_CELL = 200
_MOST_NAMED = 8
_CHANGING = {"id", "ids", "cursor", "milliseconds", "second"}  # last words of names of what is another one at each run


class Shown:
    """An object that says what it is; what it does not say itself is told by the fields of its dataclass."""

    __slots__ = ()

    def _shown(self) -> Card:
        return by_fields(self)

    def _row(self) -> Mapping[str, Any]:
        """Its row in a table of pandas: every field, and those of the dataclasses within it."""
        return row_of_fields(self)

    def __repr__(self) -> str:
        """What it is in one line, the same at every run."""
        return f"{type(self).__name__}({self._shown().in_a_line()})"

    def _repr_html_(self) -> str:
        from toolkit.display.html import page  # noqa: PLC0415 - only who shows something pays for it

        return page(self._shown())


class Listing(Shown, list[T]):
    """A list that a notebook shows as a table, or its objects one below the other."""

    __slots__ = ()

    def __repr__(self) -> str:
        """The list, as far as it fits into a line."""
        told = [_name(item) for item in self[:_MOST_NAMED]]
        while len(told) > 1 and len(", ".join(told)) > _MOST_CELL - 40:
            told.pop()
        more = [f"… {len(self) - len(told):,} more"] if len(told) < len(self) else []
        return f"[{', '.join(told + more)}]"

    def to_frame(self) -> "pd.DataFrame":
        """A row for each, with everything that is known of it.

        Raises:
            ConfigError: pandas is not installed.
        """
        return frame(map(row_of, self))

    def _shown(self) -> Card:
        cards = [card_of(item) for item in self[:MOST_ROWS]]
        more = len(self) - len(cards)
        if not cards:
            return Card(body=("*Nothing.*",))
        if any(card.whole for card in cards):
            return Card(body=(*cards, *([f"*… and {more:,} more*"] if more else [])))
        return Card(body=(table_of(cards, more),))


class Comparison(Shown, dict[str, T]):
    """The answers of several, by their names; a notebook shows them one below the other."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Whose answers, and what they are, as far as it fits into a line."""
        return f"{type(self).__name__}({line(', '.join(f'{name}: {value!r}' for name, value in self.items()))})"

    def to_frame(self) -> "pd.DataFrame":
        """A row for each, the name in the column `asked`.

        Raises:
            ConfigError: pandas is not installed.
        """
        return frame({"asked": name, **row_of(value)} for name, value in self.items())

    def _shown(self) -> Card:
        return Card(body=[_under(name, card_of(value)) for name, value in self.items()])


def card_of(item: object) -> Card:
    """What `item` is; of what cannot say it, an error or a tuple, what is known of any."""
    if isinstance(item, Shown):
        return item._shown()  # noqa: SLF001 - a public name would stand among those of every object
    if isinstance(item, Exception):
        return Card(facts={"failed": State(f"{type(item).__name__}: {line(str(item), _MOST_CELL)}", good=False)})
    return by_fields(item)


def by_fields(item: Any) -> Card:
    """A card of the fields of a dataclass or a named tuple, without ids and times."""
    values = {name: getattr(item, name) for name in _names(item)}
    facts = {words(name): cell(value) for name, value in values.items() if _stays(name, value)}
    title = next((name for name in _NAMES if isinstance(values.get(name), str) and values[name]), "")
    facts.pop(words(title), None)
    return Card(title=values.get(title, ""), facts=facts, kind=kind_of(type(item)))


def table_of(cards: Iterable[Card], more: int = 0, *, numbered: bool = True) -> Table:
    """Cards as rows: the title, and a column for each fact that any of them has."""
    rows = list(cards)
    names = list(dict.fromkeys(name for card in rows for name in card.told))
    cells = [[*(card.facts.get(name) for name in names)] for card in rows]
    if any(card.title for card in rows):
        names.insert(0, rows[0].kind)
        cells = [[card.title, *row] for card, row in zip(rows, cells, strict=True)]
    return Table(names, cells, more, numbered=numbered)


def cell(value: Any) -> Cell:
    """Any value as a cell."""
    match value:
        case None | str() | bool() | int() | float():
            return value
        case Shown():
            return value._shown().in_a_line()  # noqa: SLF001 - as above
        case Mapping():
            told = json.dumps(value, default=str, ensure_ascii=False) if value else ""
            return Code(line(redact(told), _MOST_CELL)) if told else None
        case set() | frozenset():
            return line(", ".join(sorted(map(str, value))), _MOST_CELL)
        case list() | tuple() if all(isinstance(each, str | int | float) for each in value):
            return line(", ".join(map(str, value)), _MOST_CELL)
        case list() | tuple():
            return Figure(f"{len(value):,}")
        case _:
            return line(str(value), _MOST_CELL)


def row_of(item: object) -> Mapping[str, Any]:
    """The row of `item` in a table of pandas."""
    if isinstance(item, Shown):
        return item._row()  # noqa: SLF001 - as above
    if isinstance(item, Exception):
        return {"error": type(item).__name__, "message": str(item)}
    return row_of_fields(item)


def row_of_fields(item: Any) -> Mapping[str, Any]:
    """The row of a dataclass or a named tuple; the fields of a dataclass within it stand beside its own."""
    names = _names(item)
    row: dict[str, Any] = {}
    for name in names:
        value = getattr(item, name)
        if not is_dataclass(value):
            row[name] = value
            continue
        for inner, within in row_of(value).items():
            row[f"{name}_{inner}" if inner in names or inner in row else inner] = within
    return row


def frame(rows: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    """A table of pandas.

    Raises:
        ConfigError: pandas is not installed.
    """
    from toolkit.display.frame import table  # noqa: PLC0415 - pandas takes a second to import

    return table(rows)


def words(name: str) -> str:
    """The name of a field in words."""
    return name.replace("_", " ").removesuffix(" usd").removeprefix("is ")


def kind_of(kind: type) -> str:
    """The name of a class in words."""
    return sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__).capitalize().removesuffix(" info").removesuffix(" row")


def _under(name: str, card: Card) -> Card:
    """`card` under a name, which is not told again."""
    facts = {fact: cell for fact, cell in card.facts.items() if cell != name}
    return replace(card, title=name, facts=facts, kind="")


def _name(item: object) -> str:
    card = card_of(item)
    return f"{type(item).__name__}({line(card.title or card.in_a_line(), 60)})"


def _names(item: Any) -> list[str]:
    if is_dataclass(item):
        return [each.name for each in fields(item) if _told(each)]
    return list(getattr(item, "_fields", ()))


def _told(each: "Field[Any]") -> bool:
    return each.repr  # what a dataclass keeps out of its own line is nobody's business here


def _stays(name: str, value: Any) -> bool:
    return not (isinstance(value, datetime) or callable(value) or _CHANGING & set(name.split("_")))
