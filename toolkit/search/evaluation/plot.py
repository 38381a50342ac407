"""A report as a picture: every configuration's figure with its interval, and what it has more than the first one."""

from collections.abc import Callable, Iterator, Sequence
from math import ceil, floor

from toolkit.search.evaluation.drawing import COLOURS, INK, MARKS, Line, Picture, Point, Shape, Words, width
from toolkit.search.evaluation.report import MEAN, Difference, Figure, Report

_ROW, _GAP, _TOP, _BOTTOM = 18.0, 16.0, 78.0, 34.0
_PANEL, _BETWEEN, _EDGE = 360.0, 76.0, 16.0
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MOST_TICKS = 6


def plot(report: Report) -> Picture:
    """The first measure of `report`: its figures, and beside them the differences from the first configuration."""
    measure, configurations = report.measures[0], report.configurations
    names = list(dict.fromkeys(figure.collection for figure in report.figures))
    figures = [f for f in report.figures if f.measure == measure]
    differences = [
        d
        for d in report.differences
        if d.measure == measure and d.against == configurations[0] and len(configurations) > 1
    ]
    left = _EDGE + max(width(_title(name, report)) for name in names) + 12
    rows = _rows(names, configurations)
    height = max(rows.values()) + _GAP + _BOTTOM
    shapes: list[Shape] = [*_legend(configurations, left), *_names(names, rows, report)]
    percent = f"{report.confidence:.0%}".replace("%", " %")
    shapes += _panel(
        figures, rows, configurations, left=left, height=height, title=f"{measure}, with {percent} intervals"
    )
    total = left + _PANEL + _BETWEEN
    if differences:
        title = f"the same queries, less {configurations[0]}"
        shapes += _panel(differences, rows, configurations, left=total, height=height, title=title)
        total += _PANEL + _BETWEEN
    said = f"{measure} of {', '.join(configurations)} on {', '.join(names)}"
    return Picture(total, height, said, shapes)


def _title(name: str, report: Report) -> str:
    queries = {summary.name: summary.queries for summary in report.collections}
    return f"mean of {len(queries)}" if name == MEAN and MEAN not in queries else f"{name} ({queries[name]:,})"


def _rows(names: Sequence[str], configurations: Sequence[str]) -> dict[tuple[str, str], float]:
    """How far down each configuration of each collection is drawn."""
    found: dict[tuple[str, str], float] = {}
    y = _TOP + _ROW
    for name in names:
        for configuration in configurations:
            found[name, configuration] = y
            y += _ROW
        y += _GAP
    return found


def _legend(configurations: Sequence[str], x: float) -> Iterator[Shape]:
    for number, configuration in enumerate(configurations):
        yield Point(x + 5, 22, COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)], 5)
        yield Words(x + 16, 26.5, configuration, size=13)
        x += width(configuration, 13) + 44


def _names(names: Sequence[str], rows: dict[tuple[str, str], float], report: Report) -> Iterator[Shape]:
    for name in names:
        places = [y for (of, _configuration), y in rows.items() if of == name]
        yield Words(_EDGE, sum(places) / len(places) + 4, _title(name, report), bold=name == MEAN)


def _panel(
    found: Sequence[Figure] | Sequence[Difference],
    rows: dict[tuple[str, str], float],
    configurations: Sequence[str],
    *,
    left: float,
    height: float,
    title: str,
) -> Iterator[Shape]:
    signed = isinstance(found[0], Difference)
    ticks = _ticks(min(one.low for one in found), max(one.high for one in found), signed=signed)
    span = ticks[-1] - ticks[0]

    def at(value: float) -> float:
        return left + (value - ticks[0]) / span * _PANEL

    yield Words(left, _TOP - 22, title, size=13, bold=True)
    yield from _grid(ticks, at, height, signed=signed)
    for one in found:
        y = rows[one.collection, one.configuration]
        number = configurations.index(one.configuration)
        colour = COLOURS[number % len(COLOURS)]
        yield Line([(at(one.low), y), (at(one.high), y)], colour, 2)
        for end in (one.low, one.high):
            yield Line([(at(end), y - 4), (at(end), y + 4)], colour, 2)
        yield Point(at(one.mean), y, colour, MARKS[number % len(MARKS)])
        yield Words(left + _PANEL + 10, y + 4, f"{one.mean:{'+' if signed else ''}.3f}")


def _grid(ticks: Sequence[float], at: Callable[[float], float], height: float, *, signed: bool) -> Iterator[Shape]:
    for tick in ticks:
        is_zero = signed and abs(tick) < _STEPS[0] / 2
        yield Line(
            [(at(tick), _TOP - 8), (at(tick), height - _BOTTOM)], INK, 1.2 if is_zero else 1, 0.9 if is_zero else 0.25
        )
        label = f"{tick:+.2f}" if signed and not is_zero else f"{abs(tick):.2f}"
        yield Words(at(tick), height - _BOTTOM + 18, label.rstrip("0").rstrip(".") or "0", "middle")


def _ticks(low: float, high: float, *, signed: bool) -> list[float]:
    """Round numbers around all that is drawn; where it is signed, zero is among them."""
    low, high = (min(low, 0.0), max(high, 0.0)) if signed else (low, high)
    step = next((s for s in _STEPS if ceil(high / s) - floor(low / s) <= _MOST_TICKS), _STEPS[-1])
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]
