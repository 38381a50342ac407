r"""A conversation as Markdown, for people; texts, speakers, pictures, pins and tool calls come back as they were.

    # A title

    <!-- toolkit session {"version": 1, "title": "A title"} -->

    ## User
    ![image](<https://example.org/a.png>)

    What is in the picture?

    ## Assistant

    ```json tool-call
    {"id": "c1", "name": "look", "arguments": {}}
    ```

    ## Tool
    Result of call "c1"

    A cat.

A line of what was said that looks like one of these headings or like the beginning of a tool call gets a backslash
in front, which Markdown does not show, and one more if it has some already.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from toolkit.db.keepable import keepable
from toolkit.messages import Image, Json, Message, Role, ToolCall
from toolkit.sessions.transfer import (
    MOST_MESSAGES,
    Header,
    Imported,
    Kept,
    Said,
    bad,
    check_call,
    finished,
    header_json,
    read_header,
)

_ROLES: dict[str, Role] = {"System": "system", "User": "user", "Assistant": "assistant", "Tool": "tool"}
_CALL = "```json tool-call"
_CALL_BEGINS = re.compile(rf"{_CALL}[ \t]*")
_CALL_ENDS = re.compile(r"```[ \t]*")
_PINNED, _STOPPED = "*pinned*", "*stopped*"
_HEADING = re.compile(rf"## ({'|'.join(_ROLES)})[ \t]*")
_OURS = re.compile(rf"\\*(?:## (?:{'|'.join(_ROLES)})[ \t]*|{_CALL}[ \t]*)")
_HEADER = re.compile(r"<!-- toolkit session (\{.*\}) -->[ \t]*")
_TITLE = re.compile(r"# (.+)")
_IMAGE = re.compile(r"!\[image\]\(<(.*)>\)")
_ODD_IMAGE = re.compile(r'Image (".*")')  # whose address would not be one in Markdown
_RESULT = re.compile(r'Result of call (".*")')


def write(kept: Kept) -> str:
    """The session and its messages."""
    title = " ".join((kept.session.title or "Conversation").split()) or "Conversation"
    # Two dashes may end a comment.
    header = _json(header_json(kept)).replace("--", "-\\u002d")
    sections = [f"# {title}\n\n<!-- toolkit session {header} -->\n\n"]
    sections += [_section(said.message) for said in kept.messages]
    return "".join(sections).removesuffix("\n")


def read(text: str) -> Imported:
    """What `write` wrote, also where a person wrote it.

    Raises:
        ConfigError: a line cannot be what it seems to be.
    """
    if not text.strip():
        raise bad(1, "the text is empty")
    text = f"{text}\n"
    if re.match(r"[^\n]*\r\n", text):  # the whole file came through a program that ends lines so
        text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    lines.pop()  # after the last line's end
    places = [place for place, line in enumerate(lines) if _HEADING.fullmatch(line)]
    header = _header(lines[: places[0]] if places else lines)
    if len(places) > MOST_MESSAGES:
        raise bad(places[MOST_MESSAGES] + 1, f"a session may have at most {MOST_MESSAGES:,} messages")
    ends = [*places[1:], len(lines)]
    messages = [Said(_message(lines[begin:end], begin + 1)) for begin, end in zip(places, ends, strict=False)]
    return finished(header, messages, len(lines))


def _section(message: Message) -> str:
    lines = [f"## {message.role.capitalize()}\n"]
    if message.tool_call_id is not None:
        lines += [f"Result of call {_json(message.tool_call_id)}\n"]
    if message.pinned:
        lines += [f"{_PINNED}\n"]
    if message.stopped:
        lines += [f"{_STOPPED}\n"]
    lines += [f"{_image(image.url)}\n" for image in message.images]
    lines += ["\n"]
    if message.text or not message.tool_calls:
        lines += [_escaped(message.text), "\n\n"]
    for call in message.tool_calls:
        body = {"id": call.id, "name": call.name, "arguments": call.arguments}
        lines += [f"{_CALL}\n{json.dumps(body, ensure_ascii=False, indent=2)}\n```\n\n"]
    return "".join(lines)


def _header(lines: Sequence[str]) -> Header:
    header: Header | None = None
    title: str | None = None
    for number, line in enumerate(lines, 1):
        if found := _HEADER.fullmatch(line):
            header = read_header(_value(found[1], number), number)
        elif (found := _TITLE.fullmatch(line)) and title is None:
            title = keepable(found[1].strip())
        elif line.strip():
            raise bad(number, "there is text before the first heading; begin what was said with a line `## User`")
    return header or Header(title=title)


def _message(lines: Sequence[str], number: int) -> Message:
    """The message of a section that begins in the line `number`."""
    role = _ROLES[lines[0].removeprefix("## ").rstrip(" \t")]
    images: list[Image] = []
    call_id: str | None = None
    pinned = stopped = False
    body = 1
    for body in count(1):
        line = lines[body] if body < len(lines) else ""
        if found := _IMAGE.fullmatch(line):
            images.append(Image(keepable(found[1])))
        elif found := _ODD_IMAGE.fullmatch(line):
            images.append(Image(_value(found[1], number + body)))
        elif found := _RESULT.fullmatch(line):
            call_id = _value(found[1], number + body)
        elif line == _PINNED:
            pinned = True
        elif line == _STOPPED:
            stopped = True
        else:
            break
    if body < len(lines) and not lines[body].strip():  # the line between the heading and what was said
        body += 1
    rest = lines[body:]
    until = next((place for place, line in enumerate(rest) if _CALL_BEGINS.fullmatch(line)), None)
    text = keepable(_text(rest if until is None else rest[:until]))
    calls = () if until is None else tuple(_calls(rest[until:], number + body + until))
    return Message(role, text, tuple(images), calls, call_id, pinned=pinned, stopped=stopped)


def _calls(lines: Sequence[str], number: int) -> Iterator[ToolCall]:
    begun: int | None = None
    for place, line in enumerate(lines):
        if begun is None:
            if _CALL_BEGINS.fullmatch(line):
                begun = place + 1
            elif line.strip():
                raise bad(number + place, "after a tool call there may only be another one, or the next heading")
        elif _CALL_ENDS.fullmatch(line):
            value = check_call(_value("\n".join(lines[begun:place]), number + begun), number + begun)
            yield ToolCall(value["id"], value["name"], value["arguments"])
            begun = None
    if begun is not None:
        raise bad(number + begun - 1, "the tool call has no end; close it with a line of three backticks")


def _text(lines: Sequence[str]) -> str:
    """What was said, without the empty line that ends a section."""
    said = list(lines)
    if said and not said[-1]:
        said.pop()
    return "\n".join(line[1:] if line.startswith("\\") and _OURS.fullmatch(line) else line for line in said)


def _escaped(text: str) -> str:
    return "\n".join(f"\\{line}" if _OURS.fullmatch(line) else line for line in text.split("\n"))


def _image(url: str) -> str:
    return f"![image](<{url}>)" if re.fullmatch(r"[^<>\s\x00-\x1f\\]+", url) else f"Image {_json(url)}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _value(text: str, number: int) -> Any:
    try:
        value: Json = keepable(json.loads(text))
    except json.JSONDecodeError as error:
        raise bad(number + error.lineno - 1, f"it is no JSON ({error.msg} at character {error.colno})") from None
    except (ValueError, RecursionError):
        raise bad(number, "its JSON is nested too deeply, or has a number that is too long") from None
    return value
