"""What requests and responses of this room are made of: fields with bounds, an example each, and who may ask."""

import math
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic_core import PydanticCustomError

from mcp_server.asker import Asker, who_may
from toolkit.access.scopes import ADMIN, CHAT, SEARCH
from toolkit.db.keepable import keepable

MOST_TEXT: Final = 1_000_000
"""Characters of a prompt or a text; the body as a whole is bounded before it is read."""

MOST_ITEMS: Final = 10_000
"""Keys and values of one JSON object that a client brings."""

_DEEPEST: Final = 32
_OBJECT: Final = {"type": "object", "additionalProperties": True, "maxProperties": 1_000}


def told(description: str, example: Any, **bounds: Any) -> Any:
    """A field's description and example, and pydantic's bounds."""
    return Field(description=description, examples=[example], **bounds)


def _plain(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("text", "Text must not have NUL characters")
    return text


def _short(text: str) -> str:
    if len(text) > MOST_TEXT:
        raise PydanticCustomError("text", "Text must have at most {most} characters", {"most": MOST_TEXT})
    return text


def _plain_or_none(text: str | None) -> str | None:
    return None if text is None else _plain(text)


def _keepable(value: Any) -> Any:
    """A JSON object, if a database can keep it and JSON can say it again."""
    waiting, seen = [(value, 1)], 0
    while waiting:
        each, depth = waiting.pop()
        seen += 1
        if depth > _DEEPEST or seen > MOST_ITEMS:
            raise PydanticCustomError(
                "json",
                "An object must have at most {most} values, {deepest} deep",
                {"most": MOST_ITEMS, "deepest": _DEEPEST},
            )
        match each:
            case str() if "\0" in each or any("\ud800" <= letter <= "\udfff" for letter in each):
                raise PydanticCustomError("json", "Texts must not have NUL or half characters")
            case float() if not math.isfinite(each):
                raise PydanticCustomError("json", "Numbers must be finite")
            case int() if abs(each) >= 2**63:
                raise PydanticCustomError("json", "Whole numbers must have at most 64 bits")
            case dict():
                waiting += [(inner, depth + 1) for pair in each.items() for inner in pair]
            case list():
                waiting += [(inner, depth + 1) for inner in each]
    return value


Text = Annotated[str, Field(min_length=1), AfterValidator(_plain), AfterValidator(_short)]
"""Something that is said. Its bound is no part of the schema: who makes examples of it would make a million letters."""

Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain)]
"""What something is called, or its id."""

Title = Annotated[str, Field(max_length=500), AfterValidator(_plain)]

Object = Annotated[
    dict[str, JsonValue],
    Field(max_length=1_000),
    BeforeValidator(_keepable),
    WithJsonSchema(_OBJECT, mode="validation"),
]
"""The application's own data, or what is passed on."""

Json = Annotated[Any, BeforeValidator(keepable)]
"""Whatever JSON says, in a response."""

Said = Annotated[str, BeforeValidator(keepable)]
"""What a model or a document says: half a character, as vendors cut them, must not spoil the whole response."""


class Body(BaseModel):
    """What a client sends: a field that there is not is refused by name."""

    model_config = ConfigDict(extra="forbid")


class Told(BaseModel):
    """What a client reads."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


Limit = Annotated[int, Query(ge=1, le=200, description="At most so many.", examples=[20])]

Cursor = Annotated[
    str | None,
    Query(max_length=500, description="The `cursor` of the page before; without it the first page.", examples=[None]),
    AfterValidator(_plain_or_none),
]

Anyone = Annotated[Asker, Depends(who_may())]
Chatting = Annotated[Asker, Depends(who_may(CHAT))]
Searching = Annotated[Asker, Depends(who_may(SEARCH))]
Answering = Annotated[Asker, Depends(who_may(CHAT, SEARCH))]
Administering = Annotated[Asker, Depends(who_may(ADMIN))]


def id_of(what: str, example: str) -> Any:
    """An id in the path, for a `Name`."""
    return Path(description=f"The id of the {what}.", examples=[example])
