"""Cards as HTML that may stand on any page: every text is escaped, Markdown is rendered and cleaned.

Nothing in it has an id, and there is no script.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from math import isfinite
from re import DOTALL, findall, sub

from toolkit.display.card import MOST_ROWS, Block, Card, Cell, Code, Figure, Notes, Share, State, Table, Text, line
from toolkit.display.markdown import render
from toolkit.display.sheet import sheet

_HOST_LEAVES_IT = "tex2jax_ignore mathjax_ignore"  # between dollars stands no formula, and MathJax has links that run
_MOST_TEXT = 4_000
_LOOKS = {
    "card": '"toolkit-card"',
    "table": '"toolkit-table"',
    "cell": "toolkit-cell",
    "share": "toolkit-share",
    "passage": '"toolkit-passage',
    "answer": '"toolkit-answer"',
}
"""Sheets, by what stands in the pages that need them."""


def page(card: Card) -> str:
    """`card` as a page of its own, with the rules that it needs and no others."""
    html = _card(card)
    looks = tuple(name for name, sign in _LOOKS.items() if sign in html)
    return f'<div class="toolkit-page {_HOST_LEAVES_IT}"><style>{_rules(looks)}</style>{html}</div>'


@cache
def _rules(looks: tuple[str, ...]) -> str:
    """Without comments, indentation and colours that nothing has: a notebook keeps them with every output."""
    rules = sub(r"\s+", " ", sub(r"/\*.*?\*/", "", sheet("page", *looks), flags=DOTALL))
    rules = sub(r"(?<=[:,]) |;? ?([{};]) ?", r"\1", rules).strip()
    unused = [name for name in findall(r"--tk-\w+(?=:)", rules) if f"var({name})" not in rules]
    return sub(rf"(?:{'|'.join(unused)}):[^;}}]*;?", "", rules) if unused else rules


def _card(card: Card) -> str:
    body = "".join(_block(block) for block in card.body if not isinstance(block, Notes))
    notes = "".join(_notes(block) for block in card.body if isinstance(block, Notes))
    facts = _facts(card.told)
    if not card.title:
        return f'<div class="toolkit-card">{body}{facts}{notes}</div>' if facts or notes else body
    kind = f"<span>{escape(card.kind)}</span>" if card.kind else ""
    top = f'<div class="toolkit-top"><b>{escape(line(card.title))}</b>{kind}</div>'
    return f'<div class="toolkit-card">{top}{facts}{body}{notes}</div>'


def _notes(notes: Notes) -> str:
    lines = "".join(f"<li>{escape(each)}</li>" for each in notes.lines[:MOST_ROWS])
    more = len(notes.lines) - MOST_ROWS
    lines += f"<li>… and {more:,} more</li>" if more > 0 else ""
    return f"<details><summary>{escape(notes.summary)}</summary><ul>{lines}</ul></details>"


def _facts(facts: dict[str, Cell]) -> str:
    told = "".join(f"<div><dt>{escape(name)}</dt>{_value(cell)}</div>" for name, cell in facts.items())
    return f'<dl class="toolkit-facts">{told}</dl>' if told else ""


def _value(cell: Cell) -> str:
    return "" if cell is True else f"<dd>{_cell(cell)}</dd>"


def _block(block: Block) -> str:
    match block:
        case str():
            return f'<div class="toolkit-answer">{render(block)}</div>'
        case Text():
            return _text(block)
        case Table():
            return _table(block)
        case Card():
            return _card(block)
        case _:
            return ""


def _text(block: Text) -> str:
    code = " toolkit-code" if block.code else ""
    more = len(block.text) - _MOST_TEXT
    left_out = f"<i>… and {more:,} more characters</i>" if more > 0 else ""
    shown = _marked(block.text[:_MOST_TEXT], [mark for mark in block.marks if mark[1] <= _MOST_TEXT])
    return f'<div class="toolkit-passage{code}">{shown}</div>{left_out}'


def _marked(text: str, marks: Iterable[tuple[int, int]]) -> str:
    told, at = [], 0
    for begin, end in marks:
        told += [escape(text[at:begin]), f"<mark>{escape(text[begin:end])}</mark>"]
        at = end
    return "".join([*told, escape(text[at:])])


def _table(table: Table) -> str:
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    right = [any(cell is not None for cell in column) and all(map(_is_figure, column)) for column in columns]
    corner = "<th></th>" if table.numbered else ""
    heads = "".join(
        _at("th", escape(line(name)), to_the_right=side) for name, side in zip(table.columns, right, strict=True)
    )
    shown = enumerate(table.rows[:MOST_ROWS])
    rows = [_row(f"<th>{index}</th>" if table.numbered else "", row, right) for index, row in shown]
    if more := table.more + max(0, len(table.rows) - MOST_ROWS):
        rows.append(f'<tr><td colspan="{len(table.columns) + table.numbered}">… and {more:,} more</td></tr>')
    total = f"<tfoot>{_row(corner, table.total, right)}</tfoot>" if table.total else ""
    return (
        f'<div class="toolkit-wide"><table class="toolkit-table"><thead><tr>{corner}{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody>{total}</table></div>"
    )


def _row(number: str, row: Sequence[Cell], right: Sequence[bool]) -> str:
    cells = (_at("td", _cell(cell), to_the_right=side) for cell, side in zip(row, right, strict=True))
    return f"<tr>{number}{''.join(cells)}</tr>"


def _at(tag: str, html: str, *, to_the_right: bool) -> str:
    return f'<{tag} class="toolkit-right">{html}</{tag}>' if to_the_right else f"<{tag}>{html}</{tag}>"


def _is_figure(cell: Cell) -> bool:
    return (
        cell is None
        or isinstance(cell, Figure)
        or (isinstance(cell, int | float) and not isinstance(cell, bool | Share))
    )


def _cell(cell: Cell) -> str:
    match cell:
        case None | False:
            return ""
        case True:
            return "yes"
        case State():
            return f'<span class="toolkit-cell toolkit-{"good" if cell.good else "bad"}">{escape(cell)}</span>'
        case Code():
            return f'<code class="toolkit-cell">{escape(cell)}</code>'
        case Share():
            share = max(0.0, min(1.0, cell)) if isfinite(cell) else 0.0
            return f'<span class="toolkit-share"><i style="--share:{share:.0%}"></i>{share:.0%}</span>'
        case str():
            return escape(cell)
        case int():
            return f"{cell:,}".replace(",", "\u202f")
        case float():
            return f"{cell:.4g}"
