"""Calls of tools, each in one line that unfolds."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from toolkit.display.words import seconds
from toolkit.messages import NOT_APPROVED, CalledTool, Json, ToolCall, ToolCallFragment

MOST_ARGUMENTS: Final = 90
"""Characters of the arguments in the line; all of them unfold."""

MOST_RESULT: Final = 4_000
"""Characters of a result that unfold; the session has all of it."""


def called(call: ToolCall, result: str | None) -> CalledTool:
    """A call of a stored conversation; nobody knows any more how long it took."""
    if result is None:
        return CalledTool(call, "It was not called.", error=True)
    return CalledTool(call, result, error=result.startswith("Error:"), refused=result == NOT_APPROVED)


def outcome(done: CalledTool) -> str:
    """How a call ended, in a word; empty where it went well."""
    if done.refused:
        return "refused"
    return "failed" if done.error else ""


def brief(arguments: Mapping[str, Any]) -> str:
    """Arguments in one line, as they would stand in a call."""
    text = ", ".join(f"{name}={_json(value)}" for name, value in arguments.items())
    return text if len(text) <= MOST_ARGUMENTS else f"{text[: MOST_ARGUMENTS - 1]}…"


def page(done: CalledTool, *, timed: bool = True) -> str:
    """A call that is over, as HTML; `timed` says whether with the time that it took."""
    how = outcome(done)
    took = seconds(done.milliseconds) if timed and done.milliseconds else ""
    rest = " · ".join(filter(None, [how, took]))
    mark = '<i class="toolkit-no">✗</i>' if how else '<i class="toolkit-yes">✓</i>'
    result = done.result[:MOST_RESULT]
    if more := len(done.result) - len(result):
        result += f"\n… and {more:,} more characters"
    return (
        f'<details class="toolkit-call"><summary>{mark}<b>{escape(done.call.name)}</b>'
        f"<code>{escape(brief(done.call.arguments))}</code><span>{escape(rest)}</span></summary>"
        f"<dl><dt>arguments</dt><dd>{escape(_json(done.call.arguments, indent=2))}</dd>"
        f"<dt>{'error' if how else 'result'}</dt><dd>{escape(result)}</dd></dl></details>"
    )


def line(done: CalledTool) -> str:
    """A call that is over, as Markdown for a file, without the time."""
    how = outcome(done)
    said = f"{done.call.name}({brief(done.call.arguments)})".replace("`", "'")
    return f"- {'✗' if how else '✓'} `{said}`{f' {how}' if how else ''}"


class Wishes:
    """The calls that a model asks for, as they arrive, until they are over."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def take(self, fragment: ToolCallFragment) -> None:
        """Take in the next piece of a call."""
        name, arguments = self._calls.get(fragment.index, ("", ""))
        self._calls[fragment.index] = (name or fragment.name, arguments + fragment.arguments)

    def clear(self) -> None:
        """They are over, or void."""
        self._calls.clear()

    def stopped(self) -> tuple[CalledTool, ...]:
        """The calls that were whole, as calls that did not end."""
        whole = ((name, _known(arguments)) for name, arguments in self._calls.values())
        stopped = (ToolCall("", name, arguments) for name, arguments in whole if arguments is not None)
        return tuple(CalledTool(call, "The answer was stopped before this call had ended.", True) for call in stopped)

    def page(self) -> str:
        """The calls as HTML: lines that do not unfold yet."""
        return "".join(
            f'<div class="toolkit-call toolkit-running"><i>…</i><b>{escape(name)}</b>'
            f"<code>{escape(_written(arguments))}</code><span>running</span></div>"
            for name, arguments in self._calls.values()
        )


def _written(arguments: str) -> str:
    """Arguments as far as they have arrived."""
    known = _known(arguments)
    return arguments[:MOST_ARGUMENTS] if known is None else brief(known)


def _known(arguments: str) -> Json | None:
    """Arguments that have arrived; None where some of them are still on their way."""
    try:
        known = json.loads(arguments or "{}")
    except ValueError:
        return None
    return known if isinstance(known, dict) else None


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)
