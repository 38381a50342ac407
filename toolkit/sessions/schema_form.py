"""The form that an answer must have, said as a JSON Schema: clients of other languages know no types."""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from referencing import Registry
from referencing.exceptions import Unresolvable

from toolkit.errors import ConfigError
from toolkit.messages import Json, OutputSchema
from toolkit.sessions.form import NAMED, Form, Misfit
from toolkit.tools.remote.foreign import clauses

_USUAL_NAME: Final = "Answer"
_MOST = 10  # mistakes that are told at once


class SchemaForm:
    """A JSON Schema as the form of an answer.

    Args:
        schema: of a JSON object; its `title` is what the form is called. What it refers to must stand in it.

    Attributes:
        output: the form as a model is told it.

    Raises:
        ConfigError: it is no JSON Schema of an object.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        from jsonschema import SchemaError  # noqa: PLC0415 - beside Jupyter its import takes a second
        from jsonschema.validators import Draft202012Validator, validator_for  # noqa: PLC0415 - as above

        given: Json = dict(schema)
        kind = validator_for(given, default=Draft202012Validator)
        name = str(given.pop("title", _USUAL_NAME))
        given.pop("$schema", None)
        if given.setdefault("type", "object") != "object":
            raise ConfigError("The form of an answer must be a JSON Schema of type object; wrap what it is in one.")
        try:
            kind.check_schema(given)
        except SchemaError as error:
            raise ConfigError(f"The form of an answer is no JSON Schema: {error.message}.") from error
        self.output = OutputSchema(NAMED.sub("_", name)[:64].strip("_") or _USUAL_NAME, given)
        self._validator = kind(given, registry=Registry())

    def read(self, text: str, context: Any = None) -> Any:  # noqa: ARG002 - a schema has no validators of its own
        """The object that the JSON `text` is.

        Raises:
            Misfit: it does not fit.
            ConfigError: the schema refers to what does not stand in it.
        """
        try:
            value = json.loads(text)
        except ValueError as error:
            raise Misfit([f"it is not valid JSON ({error})"], unreadable=True) from error
        try:
            found = [said for error in self._validator.iter_errors(value) for _, said in clauses(error)]
        except Unresolvable as error:
            raise ConfigError(f"The form of the answer refers to {error.ref!r}, which is not part of it.") from error
        if found:
            more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
            raise Misfit([*found[:_MOST], *more], unreadable=False)
        return value

    def unwrap(self, partial: Any) -> Any:
        """Of JSON as Python objects, whole or not, the part that is the answer: all of it."""
        return partial


AnyForm: TypeAlias = Form | SchemaForm


def form_of(kind: Any) -> AnyForm:
    """The form of a type, or of a JSON Schema that is given as a mapping.

    Raises:
        ConfigError: a model cannot be asked for it.
    """
    return SchemaForm(kind) if isinstance(kind, Mapping) else Form.of(kind)
