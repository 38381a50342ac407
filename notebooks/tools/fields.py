"""A field for each argument: the widget that its schema asks for, and what is written there as a value of JSON.

A field reads and never judges. What it cannot read it hands on as it was written, and the tool's own check says what is
wrong with it. An empty field is left out of the call.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ipywidgets import Checkbox, Dropdown, Password, Text, Textarea

from notebooks.tools.shape import hint, is_long, is_simple, kind_of
from notebooks.widgets.unblocked import unblocked
from toolkit.messages import Json

ABSENT: Final = object()
"""The value of a field that is left out."""

MOST_CHOICES = 300
"""Values of an enum that stand in a list; who has more writes the value."""

_MOST_LABEL = 80


class Field:
    """One argument of a call.

    Args:
        name: of the argument.
        schema: in the plain form of `shape`.
        required: whether it must be given.

    Attributes:
        widget: where it is written or chosen.
        in_json: what is written is JSON.
    """

    in_json = False

    def __init__(self, name: str, schema: Json, *, required: bool) -> None:
        self.name, self.schema, self.required = name, schema, required
        self.default = schema.get("default")
        self.widget = self._made(f"{name or 'argument without a name'}{' (required)' if required else ''}")
        self.widget.tooltip = hint(schema)
        self.clear()

    @property
    def unread(self) -> str:
        """Why what is written could not be read as JSON; empty where it could, or need not be."""
        return ""

    @property
    def value(self) -> Any:
        """What the call gets; `ABSENT` if it is left out."""
        text = self.widget.value
        return self._read(text) if text.strip() else ABSENT

    def fill(self, value: Any) -> None:
        """Write `value` there."""
        self.widget.value = self._written(value)

    def clear(self) -> None:
        """As it was at first: empty, or the default of what must be given."""
        if self.required and self.default is not None:
            self.fill(self.default)
        else:
            self.widget.value = ""

    def observe(self, on_change: Callable[[], object]) -> None:
        """Have `on_change` called when something else is written or chosen."""
        self.widget.observe(lambda _: on_change(), "value")

    def _made(self, label: str) -> Any:
        told = "" if self.default is None else self._written(self.default)
        return _named(Text(description=label, placeholder=told, continuous_update=False))

    def _read(self, text: str) -> Any:
        return text

    def _written(self, value: Any) -> str:
        return value if isinstance(value, str) else _json(value)


class LongText(Field):
    """Text of several lines."""

    def _made(self, label: str) -> Any:
        told = "" if self.default is None else self._written(self.default)
        return _named(Textarea(description=label, placeholder=told, continuous_update=False, rows=3))


class Secret(Field):
    """Text that nobody should see."""

    def _made(self, label: str) -> Any:
        return _named(Password(description=label, continuous_update=False))


class Number(Field):
    """A number, whole or not: a line, because a widget for numbers would mend what is wrong without a word."""

    def _read(self, text: str) -> Any:
        return _number(text)


class InJson(LongText):
    """Anything else, written as JSON."""

    in_json = True

    @property
    def unread(self) -> str:
        """Why what is written could not be read as JSON; empty where it could."""
        try:
            json.loads(self.widget.value or "null", parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            return str(error)
        return ""

    def _made(self, label: str) -> Any:
        return _named(super()._made(label), "json")

    def _read(self, text: str) -> Any:
        return _from_json(text)

    def _written(self, value: Any) -> str:
        return _json(value, indent=2)


class Lines(LongText):
    """A list of simple values, one in each line."""

    def _read(self, text: str) -> Any:
        return [_item(self.schema["items"], line.strip()) for line in text.splitlines() if line.strip()]

    def _written(self, value: Any) -> str:
        many = value if isinstance(value, list) else [value]
        return "\n".join(each if isinstance(each, str) else _json(each) for each in many)


class Choice(Field):
    """One of several values, told by their place: of JSON's values some are equal in Python, and some have no hash."""

    @property
    def values(self) -> Sequence[Any]:
        """Those to choose from."""
        return self.schema["enum"]  # type: ignore[no-any-return] # looked at in `field_of`

    @property
    def value(self) -> Any:
        """What the call gets; `ABSENT` if nothing was chosen, or what is meant anyway."""
        place = self.widget.value
        if place < 0:
            return ABSENT
        value = self.values[place]
        return ABSENT if not self.required and _same(value, self.default) else value

    def fill(self, value: Any) -> None:
        """Choose `value`; nothing, if it is none of them."""
        self.widget.value = next((place for place, each in enumerate(self.values) if _same(each, value)), -1)

    def clear(self) -> None:
        """Choose the default, or nothing."""
        self.fill(self.default)

    def _made(self, label: str) -> Any:
        nothing = [("Choose…" if self.required else "left out", -1)]
        options = [(_cut(self._written(value)) or '""', place) for place, value in enumerate(self.values)]
        return _named(Dropdown(description=label, options=nothing + options, value=-1), "choice")


class YesNo(Choice):
    """True or false where neither is the default."""

    @property
    def values(self) -> Sequence[Any]:
        """Both."""
        return (True, False)

    def _made(self, label: str) -> Any:
        nothing = [("Choose…" if self.required else "left out", -1)]
        return _named(Dropdown(description=label, options=[*nothing, ("yes", 0), ("no", 1)], value=-1), "choice")


class Tick(Field):
    """True or false where one is the default."""

    @property
    def value(self) -> Any:
        """What the call gets; `ABSENT` if that is meant anyway."""
        value = self.widget.value
        return ABSENT if not self.required and value is self.default else value

    def fill(self, value: Any) -> None:
        """Tick it or not."""
        self.widget.value = value is True

    def clear(self) -> None:
        """As the default is."""
        self.fill(self.default)

    def _made(self, label: str) -> Any:
        return _named(Checkbox(description=label, indent=False), "tick-only")


def field_of(name: str, schema: Json, *, required: bool) -> Field:
    """The field for an argument of that schema, whoever wrote it."""
    return _class(name, schema)(name, schema, required=required)


def _class(name: str, schema: Mapping[str, Any]) -> type[Field]:
    kind, values, items = kind_of(schema), schema.get("enum"), schema.get("items")
    if isinstance(values, list) and 0 < len(values) <= MOST_CHOICES:
        return Choice
    match kind:
        case "boolean":
            return Tick if isinstance(schema.get("default"), bool) else YesNo
        case "integer" | "number":
            return Number
        case "string" if schema.get("format") == "password":
            return Secret
        case "string":
            return LongText if is_long(name, schema) else Field
        case "array" if isinstance(items, Mapping) and is_simple(items) and "prefixItems" not in schema:
            return Lines
    return InJson


def _item(schema: Mapping[str, Any], line: str) -> Any:
    kind = kind_of(schema)
    if kind in ("integer", "number"):
        return _number(line)
    if kind == "boolean":
        return {"true": True, "false": False, "yes": True, "no": False}.get(line.lower(), line)
    return line


def _number(text: str) -> Any:
    """The number that `text` is; else the text."""
    value = _from_json(text.strip())
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else text


def _from_json(text: str) -> Any:
    """What the JSON `text` says; else the text."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is only in Python's JSON")


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=repr)


def _same(one: Any, other: Any) -> bool:
    """Whether both are the same JSON, in which true is not 1."""
    return _json(one) == _json(other)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LABEL else f"{text[:_MOST_LABEL]}…"


def _named(widget: Any, kind: str = "field") -> Any:
    widget.add_class(f"toolkit-{kind}")
    return unblocked(widget)
