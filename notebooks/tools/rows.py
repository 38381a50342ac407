"""The rows of a form: one for each argument of a tool."""

from collections.abc import Callable, Mapping
from typing import Any

from ipywidgets import VBox

from notebooks.tools.fields import ABSENT, field_of
from notebooks.tools.row import Row
from notebooks.tools.shape import is_open, properties_of
from notebooks.widgets.panel import named
from toolkit.errors import ConfigError, ToolArgumentsError
from toolkit.messages import Json
from toolkit.tools.registry import no_such

_OTHERS = "further arguments"
_OF_OTHERS: Json = {"type": "object", "description": "Arguments that the tool takes and does not list."}


class Rows(VBox):  # type: ignore[misc] # ipywidgets ships no types
    """The arguments of a tool, as fields.

    Args:
        schema: JSON Schema of the arguments, whoever wrote it.
        on_change: called after something was written or chosen by somebody.
    """

    def __init__(self, schema: Mapping[str, Any], on_change: Callable[[], object]) -> None:
        self._on_change, self._filling = on_change, False
        self._rows = [Row(field_of(name, own, required=must)) for name, own, must in properties_of(schema)]
        self._others = Row(field_of(_OTHERS, _OF_OTHERS, required=False)) if is_open(schema) else None
        super().__init__([*self._rows, *([self._others] if self._others else [])])
        named(self, "fields")
        for row in self.children:
            row.field.observe(lambda row=row: self._changed(row))

    @property
    def arguments(self) -> Json:
        """What the fields say, without those that are left out."""
        given = {row.field.name: value for row in self._rows if (value := row.field.value) is not ABSENT}
        more = self._others.field.value if self._others else ABSENT
        if more is ABSENT:
            return given
        return {**more, **given} if isinstance(more, dict) else {**given, _OTHERS: more}

    def fill(self, given: Mapping[str, Any]) -> None:
        """Write `given` into the fields, and leave the others empty.

        Raises:
            ConfigError: there is no field for one of them.
        """
        fields = {row.field.name: row.field for row in self._rows}
        more = {name: value for name, value in given.items() if name not in fields}
        if more and self._others is None:
            raise ConfigError(no_such("field", next(iter(more)), fields))
        self._filling = True
        try:
            for row in self.children:
                row.touched = row.field.name in given
                row.field.clear()
            for name, value in given.items():
                if name in fields:
                    fields[name].fill(value)
            if more and self._others:
                self._others.field.fill(more)
        finally:
            self._filling = False
        self._on_change()

    def say(self, error: ToolArgumentsError | None, *, touched: bool = False) -> list[str]:
        """Say beneath each field what is wrong with it, and give what concerns none of them.

        Args:
            error: of the tool's own check; None: nothing is wrong.
            touched: only of fields that somebody has changed, since the others are still to be filled.
        """
        said: dict[str, list[str]] = {}
        for name, clause in error.wrong if error else ():
            said.setdefault(name, []).append(clause)
        for row in self.children:
            told = said.pop(row.field.name, [])
            row.tell(told if row.touched or not touched else [])
        if error and not error.wrong:
            return [str(error)]
        return [clause for clauses in said.values() for clause in clauses]

    def _changed(self, row: Row) -> None:
        if not self._filling:
            row.touched = True
            self._on_change()
