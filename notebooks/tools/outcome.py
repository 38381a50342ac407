"""What a tool answered, as a person reads it: text as a page, lists of like things as tables, the rest as a tree."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, TypeGuard

from toolkit.display.markdown import as_text, render
from toolkit.display.words import seconds
from toolkit.messages import Json
from toolkit.tools.tool import ToolResult

MOST_ROWS = 50
"""Rows of a table, and members of a list or an object, that are shown."""

MOST_PARTS = 1_500
"""Values that are shown of one result: a browser lays out no more at once without being felt."""

_DEEPEST = 12
_MOST_COLUMNS = 8
_MOST_BRIEF = 60
_TELLING = ("title", "name", "source", "text")
_MOST_TEXT = 2_000  # characters of one value
_OPEN = 2  # levels of a tree that are unfolded at first


def answered(result: ToolResult, milliseconds: float) -> str:
    """The result as HTML, with the time that it took."""
    said = result.data["result"] if set(result.data) == {"result"} else result.data
    if isinstance(said, str):
        whole = render(said) if said.strip() else '<p class="toolkit-about">It answered with an empty text.</p>'
    else:
        whole = f'<div class="toolkit-tree">{tree(said)}</div>'
        whole += f"<details><summary>as a model reads it</summary>{as_text(result.text)}</details>"
    return f'{_line("✓", "answered", milliseconds)}<div class="toolkit-answer {_INERT}">{whole}</div>'


def failed(said: str, milliseconds: float) -> str:
    """Why there is no result, as HTML."""
    head = _line("✕", "failed", milliseconds)
    return f'{head}<div class="toolkit-error {_INERT}" role="alert">{escape(said)}</div>'


def refused() -> str:
    """That nothing was called."""
    return '<div class="toolkit-note" role="status">Not called: mend what is marked first.</div>'


def stopped() -> str:
    """That nobody waits for the answer any more."""
    return '<div class="toolkit-note" role="status">Stopped; what it had done by then is done.</div>'


def under_way(done: float | None = None, total: float | None = None, message: str = "") -> str:
    """How far a call is, as HTML."""
    known = total is not None and total > 0 and done is not None
    bar = f'<progress max="{total:g}" value="{done:g}" aria-label="How far the call is"></progress>' if known else ""
    figure = f"{done:g} of {total:g}" if known else "" if done is None else f"{done:g}"
    told = " · ".join(escape(each) for each in ("running", figure, message) if each)
    return f'<div class="toolkit-note toolkit-running" role="status">{bar}{told}…</div>'


def as_code(name: str, arguments: Json, *, waits: bool) -> str:
    """The call as a line of Python.

    Args:
        name: of the tool.
        arguments: of the call.
        waits: the toolkit is called without `await`.
    """
    call = f"tk.tools.call({_literal(name)}, {_literal(arguments)})"
    return call if waits else f"await {call}"


def tree(value: Any) -> str:
    """A value of JSON as HTML that unfolds; what would be too much of it is counted."""
    return _tree(value, 0, [MOST_PARTS])


def _literal(value: Any) -> str:
    """`value` of JSON as Python, with the quotes that formatters give it."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


_INERT = "tex2jax_ignore mathjax_ignore"  # a page that sets formulas leaves these alone


def _line(mark: str, word: str, milliseconds: float) -> str:
    return (
        f'<div class="toolkit-note toolkit-ended" role="status"><b aria-hidden="true">{mark}</b> {word} · '
        f"{seconds(milliseconds)}</div>"
    )


def _tree(value: Any, depth: int, left: list[int]) -> str:
    left[0] -= 1
    if left[0] < 0:
        return "<i>…</i>"
    if isinstance(value, Mapping | list) and value and depth >= _DEEPEST:
        return f"<i>{_count(value)}</i>"
    if _is_table(value):
        return _folded(value, _table(value, left), depth)
    if isinstance(value, Mapping) and value:
        return _folded(value, _members(list(value.items()), depth, left), depth)
    if isinstance(value, list) and value:
        return _folded(value, _members(list(enumerate(value)), depth, left), depth)
    return _leaf(value)


def _folded(value: Mapping[str, Any] | list[Any], inner: str, depth: int) -> str:
    if depth == 0:
        return inner
    is_open = " open" if depth < _OPEN else ""
    return f"<details{is_open}><summary>{_brief(value)}</summary>{inner}</details>"


def _brief(value: Mapping[str, Any] | list[Any]) -> str:
    """What a folded value is known by, its name or the first text in it, and how much there is."""
    texts = [*map(value.get, _TELLING), *value.values()] if isinstance(value, Mapping) else value
    first = next((text for text in texts if isinstance(text, str) and text.strip()), "")
    line = " ".join(first.split())
    told = f"{escape(line[:_MOST_BRIEF])}{'…' * (len(line) > _MOST_BRIEF)} · " if line else ""
    return f"{told}{_count(value)}"


def _members(members: Sequence[tuple[Any, Any]], depth: int, left: list[int]) -> str:
    shown = []
    for key, value in members[:MOST_ROWS]:
        if left[0] <= 0:
            break
        shown.append(f"<dt>{escape(str(key))}</dt><dd>{_tree(value, depth + 1, left)}</dd>")
    return f"<dl>{''.join(shown)}</dl>{_rest(len(members) - len(shown))}"


def _is_table(value: Any) -> TypeGuard[list[Mapping[str, Any]]]:
    if not isinstance(value, list) or len(value) < 2:  # noqa: PLR2004 - one row is no table
        return False
    if not all(isinstance(each, Mapping) and each for each in value):
        return False
    names = {name for each in value for name in each}
    simple = all(not isinstance(inner, Mapping | list) for each in value for inner in each.values())
    return simple and len(names) <= _MOST_COLUMNS


def _table(rows: list[Mapping[str, Any]], left: list[int]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = rows[: max(1, min(MOST_ROWS, left[0] // len(names)))]
    left[0] -= len(shown) * len(names)
    numbers = {name for name in names if all(_is_number(row.get(name)) for row in rows)}
    right = ' style="text-align: right"'
    head = "".join(f'<th scope="col"{right * (name in numbers)}>{escape(str(name))}</th>' for name in names)
    body = "".join(
        f"<tr>{''.join(_cell(row, name, right * (name in numbers)) for name in names)}</tr>" for row in shown
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{_rest(len(rows) - len(shown))}"


def _cell(row: Mapping[str, Any], name: str, style: str) -> str:
    return f"<td{style}>{_leaf(row[name]) if name in row else ''}</td>"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _leaf(value: Any) -> str:
    if isinstance(value, str):
        text = value if len(value) <= _MOST_TEXT else f"{value[:_MOST_TEXT]}… ({len(value):,} characters)"
        return f"<span>{escape(text)}</span>" if text else '<i class="toolkit-about">empty</i>'
    return f"<code>{escape(json.dumps(value, ensure_ascii=False, default=repr)[:_MOST_TEXT])}</code>"


def _count(value: Mapping[str, Any] | list[Any]) -> str:
    one, many = ("value", "values") if isinstance(value, Mapping) else ("entry", "entries")
    return f"{len(value):,} {one if len(value) == 1 else many}"


def _rest(count: int) -> str:
    return f'<p class="toolkit-about">… and {count:,} more</p>' if count > 0 else ""
