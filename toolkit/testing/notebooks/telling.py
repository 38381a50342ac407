"""What came of a notebook, in words and differences."""

import difflib
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from toolkit.testing.notebooks.checking import Cell, Checked

_WIDTH: Final = 110
_LINES: Final = 40
"""Lines of a difference, or of a traceback, that are shown."""
_SOURCE: Final = 12
"""Lines of a cell's code that are shown."""

_ANSI: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def told(checked: Checked, *, limit: float) -> str:
    """What is wrong with a notebook, cell by cell, and what to do; one line where nothing is."""
    wrong = [cell for cell in checked.cells if not cell.ok and cell.outcome != "not run"]
    if checked.problem and not wrong:
        return (
            checked.problem if checked.problem.startswith(str(checked.path)) else f"{checked.path}: {checked.problem}"
        )
    if not wrong:
        return f"{checked.path}: {_count(len(checked.cells))}, as they stand."
    blocks = [f"{checked.path}: {len(wrong)} of {_count(len(checked.cells))} failed."]
    unrun = [cell for cell in wrong if cell.outcome == "unrun"]
    if len(unrun) > 1:
        places = ", ".join(f"[{cell.number}]" for cell in unrun)
        blocks.append(f"In {places} have no outputs in the file, so nothing was compared.")
        wrong = [cell for cell in wrong if cell not in unrun]
    blocks += ["\n".join(_cell(cell, limit)) for cell in wrong]
    skipped = sum(cell.outcome == "not run" for cell in checked.cells)
    if skipped:
        blocks.append(f"The {_count(skipped)} after it {'was' if skipped == 1 else 'were'} not run.")
    blocks.append(_advice(checked, wrong or unrun))
    return "\n\n".join(blocks)


def refused(checked: Checked, *, limit: float) -> str:
    """Why the outputs of a notebook were not written."""
    wrong = [cell for cell in checked.cells if not cell.ok and cell.outcome != "not run"]
    if checked.problem or not wrong:
        return told(checked, limit=limit)
    if all(cell.outcome == "differs" for cell in wrong):
        cells = ", ".join(f"In [{cell.number}]" for cell in wrong)
        head = f"{checked.path} was not written: two runs differ in {cells}."
        tail = "Print nothing that changes from run to run, or name what may differ in a file for --sanitize."
    else:
        head, tail = f"{checked.path} was not written.", _advice(checked, wrong)
    return "\n\n".join([head, *("\n".join(_cell(cell, limit)) for cell in wrong), tail])


def in_short(cell: Cell, limit: float) -> str:
    """What is wrong with a cell, as a clause that follows its number."""
    match cell.outcome:
        case "raised" if cell.error:
            value = " ".join(str(cell.error["value"]).split())
            return f"raised {cell.error['name']}: {value}" if value else f"raised {cell.error['name']}"
        case "differs":
            return f"gives something else ({', '.join(_kinds(cell))})"
        case "late":
            return f"did not end within {limit:g} s; its kernel was ended"
        case "died":
            return "ended its kernel"
        case "unrun":
            return "has no outputs in the file, so nothing was compared"
        case _:
            return f"could not be run ({cell.said})"


def difference(cell: Cell) -> Iterator[str]:
    """How what came differs from what stood, as a unified diff for each kind of output."""
    for kind in _kinds(cell):
        stood, came = (list(_lines(kind, outputs.get(kind, ()))) for outputs in (cell.stood, cell.came))
        lines = difflib.unified_diff(stood, came, f"in the file ({kind})", f"now ({kind})", lineterm="")
        yield from _cut(lines, _LINES)


def _cell(cell: Cell, limit: float) -> Iterator[str]:
    yield f"In [{cell.number}] {in_short(cell, limit).rstrip('.')}:"
    yield from (f"    {line}" for line in _cut(iter(cell.source.splitlines()), _SOURCE))
    if cell.outcome == "differs":
        yield from difference(cell)
    elif cell.error and cell.error["name"] not in ("SyntaxError", "IndentationError", "CassetteMiss", "CassetteError"):
        yield from _cut(iter(_ANSI.sub("", "\n".join(cell.error["traceback"])).splitlines()), _LINES)
    elif cell.error and cell.error["name"] == "CassetteMiss":
        yield from str(cell.error["value"]).splitlines()[1:]


def _advice(checked: Checked, wrong: Sequence[Cell]) -> str:
    name = f"'{checked.path}'" if " " in str(checked.path) else str(checked.path)
    if any("Cassette" in (cell.error or {}).get("name", "") for cell in wrong) or any(
        "is not in the cassette" in text for cell in wrong for texts in cell.came.values() for text in texts
    ):
        return (
            f"A call of a model is not recorded. With your keys set, record it: toolkit notebook update {name} --record"
        )
    if all(cell.outcome in ("differs", "unrun") for cell in wrong):
        return f"If this is how it should be: toolkit notebook update {name}"
    if any(cell.outcome == "late" for cell in wrong):
        return "If it may take that long: --timeout SECONDS"
    return "Mend the notebook, and run it again."


def _kinds(cell: Cell) -> list[str]:
    kinds = dict.fromkeys((*cell.stood, *cell.came))
    return [kind for kind in kinds if list(cell.stood.get(kind, ())) != list(cell.came.get(kind, ()))]


def _lines(kind: str, outputs: Sequence[str]) -> Iterator[str]:
    """Outputs by lines that can be compared by eye: one tag of HTML each, and none longer than a screen."""
    for output in outputs:
        text = re.sub(r">\s*<", ">\n<", output) if kind in ("text/html", "image/svg+xml") else output
        for line in text.splitlines() or [""]:
            yield from (line[start : start + _WIDTH] for start in range(0, max(len(line), 1), _WIDTH))


def _cut(lines: Iterator[str], most: int) -> Iterator[str]:
    yield from islice(lines, most)
    if left := sum(1 for _ in lines):
        yield f"… {left} more"


def _count(number: int) -> str:
    return f"{number} cell" if number == 1 else f"{number} cells"
