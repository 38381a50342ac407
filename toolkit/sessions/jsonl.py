"""A conversation as JSON Lines: the session, then one message per line; nothing is lost."""

import json
from typing import Any

from toolkit.db.keepable import keepable
from toolkit.messages import Json
from toolkit.sessions.transfer import (
    MOST_MESSAGES,
    Header,
    Imported,
    Kept,
    Said,
    bad,
    finished,
    header_json,
    read_header,
    read_message,
)

# Ends of lines for some readers and not for JSON; in JSON they stand in texts only.
_LINE_ENDS = str.maketrans({"\x85": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def write(kept: Kept) -> str:
    """The session and its messages."""
    lines = [{"session": header_json(kept)}]
    lines += [_with_call(said) for said in kept.messages]
    return "".join(f"{json.dumps(line, ensure_ascii=False).translate(_LINE_ENDS)}\n" for line in lines)


def read(text: str) -> Imported:
    """What `write` wrote.

    Raises:
        ConfigError: a line is something else.
    """
    header: Header | None = None
    messages: list[Said] = []
    number = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        value = _object(line, number)
        if header is None:
            if set(value) != {"session"}:
                raise bad(number, 'it must be the session: {"session": {"version": 1}}')
            header = read_header(value["session"], number)
        elif len(messages) == MOST_MESSAGES:
            raise bad(number, f"a session may have at most {MOST_MESSAGES:,} messages")
        else:
            messages.append(read_message(value, number))
    if header is None:
        raise bad(1, "the text is empty")
    return finished(header, messages, number)


def _with_call(said: Said) -> Json:
    beside = {"call_id": said.call_id, "created_at": said.at.isoformat() if said.at else None}
    return said.message.to_json() | {name: value for name, value in beside.items() if value}


def _object(line: str, number: int) -> Json:
    try:
        value: Any = keepable(json.loads(line))
    except json.JSONDecodeError as error:
        raise bad(number, f"it is no JSON ({error.msg} at character {error.colno})") from None
    except (ValueError, RecursionError):
        raise bad(number, "its JSON is nested too deeply, or has a number that is too long") from None
    if not isinstance(value, dict):
        raise bad(number, "it must be a JSON object")
    return value
