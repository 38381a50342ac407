"""What a statement's values may be, and what becomes of one that matches nothing; the same on both databases."""

import json
import re
from datetime import UTC, datetime
from typing import Any

from toolkit.errors import DatabaseError

# A NUL that JSON wrote as an escape; an even number of backslashes before it would make it plain text.
_NUL_IN_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# Made once: `json.dumps` would make one for every value.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class Unmatched(Exception):
    """A statement that had to return a row returned none; carries the error that the caller wants to see."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def checked_text(name: str, value: str) -> str:
    """`value`, if a database can keep it: Postgres has no room for NUL, and UTF-8 none for half a character."""
    if "\0" in value:
        raise _nul(name)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _half_a_character(name) from error
    return value


def json_text(name: str, value: Any) -> str:
    """`value` as compact JSON text, readable in any script."""
    try:
        text = _encode(value)
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError as error:
        raise _half_a_character(name) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise DatabaseError(f"The value {name!r} cannot be kept as JSON: {error}.") from error
    if "\\u0000" in text and _NUL_IN_JSON.search(text):
        raise _nul(name)
    return text


def utc(name: str, value: datetime) -> datetime:
    """`value` in UTC."""
    if value.tzinfo is None:
        raise DatabaseError(f"The time {name!r} has no time zone; make it with toolkit.stamps.now().")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _nul(name: str) -> DatabaseError:
    return DatabaseError(f"The value {name!r} contains the character NUL, which a database cannot keep; remove it.")


def _half_a_character(name: str) -> DatabaseError:
    return DatabaseError(f"The value {name!r} contains half of a character (a lone surrogate); remove it.")
