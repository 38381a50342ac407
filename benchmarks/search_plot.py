"""Draws what `search` has measured: how each figure grows with the collection."""

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.search.evaluation.drawing import COLOURS, INK, MARKS, Line, Picture, Point, Shape, Words, width

if TYPE_CHECKING:
    from benchmarks.search import Result

PANELS = {
    "hybrid_p95_ms": "a warm query, ms (95 % take at most)",
    "change_ms": "a change, ms",
    "memory_mb": "memory, MB",
    "disk_mb": "disk, MB",
}
_WIDE, _HIGH, _LEFT, _TOP, _ACROSS, _DOWN = 400.0, 200.0, 60.0, 84.0, 84.0, 84.0
_LEAST_DECADES = 1


def draw(results: "Sequence[Result]", file: Path) -> None:
    """Draw a panel for each figure, both axes logarithmic."""
    file.write_text(picture(results).svg(), encoding="utf-8")


def picture(results: "Sequence[Result]") -> Picture:
    """Two panels beside each other, and two below them."""
    engines = list(dict.fromkeys(result.engine for result in results))
    shapes = list(_legend(engines))
    for number, (figure, title) in enumerate(PANELS.items()):
        x = _LEFT + number % 2 * (_WIDE + _ACROSS)
        y = _TOP + number // 2 * (_HIGH + _DOWN)
        shapes += _panel(results, engines, figure, title, (x, y))
    total = _LEFT + 2 * _WIDE + _ACROSS + 44, _TOP + 2 * _HIGH + _DOWN + 52
    return Picture(*total, "What search costs while a collection grows", shapes)


def _legend(engines: Sequence[str]) -> Iterator[Shape]:
    x = _LEFT
    for number, engine in enumerate(engines):
        yield Point(x + 5, 20, COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)], 5)
        yield Words(x + 15, 24.5, engine, size=12.5, bold=engine.startswith("toolkit"))
        x += width(engine, 12.5) + 34


def _panel(
    results: "Sequence[Result]", engines: Sequence[str], figure: str, title: str, corner: tuple[float, float]
) -> Iterator[Shape]:
    left, top = corner
    sizes = sorted({result.sections for result in results})
    values = [max(getattr(result, figure), 1e-3) for result in results]
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    high = max(high, low + _LEAST_DECADES)
    first, last = log10(sizes[0]), log10(sizes[-1])

    def place(size: int, value: float) -> tuple[float, float]:
        across = (log10(size) - first) / (last - first) if last > first else 0.5
        return left + across * _WIDE, top + _HIGH * (1 - (log10(value) - low) / (high - low))

    yield Words(left, top - 14, title, size=13, bold=True)
    for decade in range(low, high + 1):
        y = place(sizes[0], 10.0**decade)[1]
        yield Line([(left, y), (left + _WIDE, y)], INK, 1, 0.25)
        yield Words(left - 8, y + 4, f"{10.0**decade:,g}", "end")
    for size in sizes:
        yield Words(place(size, 10.0**low)[0], top + _HIGH + 20, f"{size:,}", "middle")
    yield Words(left + _WIDE, top + _HIGH + 38, "passages", "end")
    for number, engine in enumerate(engines):
        known = [(r.sections, max(getattr(r, figure), 1e-3)) for r in results if r.engine == engine]
        points = [place(*each) for each in sorted(known)]
        colour = COLOURS[number % len(COLOURS)]
        yield Line(points, colour, 2.4 if engine.startswith("toolkit") else 1.4)
        yield from (Point(x, y, colour, MARKS[number % len(MARKS)]) for x, y in points)
