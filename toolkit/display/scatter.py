"""A plot of points by two figures each, with their names beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Final

from toolkit.display import drawn
from toolkit.display.drawn import WIDTH, Area, Scale, linear, picture, plain, words
from toolkit.display.figures import Unit, figure, tick_words, ticks
from toolkit.display.plot import NOTHING, Plot, counted, headed, listed, nothing, number

MOST_POINTS: Final = 300
"""Of more, the first are shown."""

_HEIGHT: Final = 300
_BESIDE: Final = 10  # pixels between a point and its name
_NEAR: Final = 6  # pixels around a point that no name may cover


@dataclass(frozen=True, slots=True)
class Axis:
    """What is measured in one direction.

    Attributes:
        name: what it is, e.g. `cost of an answer`.
        unit: of the values.
        log: equal distances are equal ratios; for values above 0 that are far apart.
    """

    name: str
    unit: Unit = "number"
    log: bool = False


def scatter(
    title: str,
    points: Mapping[str, tuple[float | None, float | None]],
    *,
    x: Axis,
    y: Axis,
    heading: bool = True,
    empty: str = NOTHING,
) -> Plot:
    """A point for each pair of figures, with its name: e.g. models by what an answer costs and how good it is.

    Args:
        title: what is shown.
        points: how far to the right and how high, by name; one with an unknown figure is named below the plot.
        x: the axis below.
        y: the upright one.
        heading: whether the title stands above the points.
        empty: what is said where there is no point.
    """
    pairs = [(plain(name, 40), number(a), number(b)) for name, (a, b) in list(points.items())[:MOST_POINTS]]
    known, lacking = [], []
    for name, a, b in pairs:
        if a is None or b is None or (x.log and a <= 0) or (y.log and b <= 0):
            lacking.append(name)
        else:
            known.append((name, a, b))
    title, far, high = plain(title, 100), plain(x.name), plain(y.name)
    shown = counted(len(known), "point")
    if not known:
        return nothing(title, _unknown(lacking) if lacking else empty, shown, heading=heading)
    made, top = headed(title, heading=heading)
    made.append(words(2, top + 12, f"↑ {high}", fill=drawn.MUTED))
    figures = _figures([b for _, _, b in known], y)
    area = Area(drawn.room(tick_words(figures, y.unit)), top + 26, WIDTH - 24, top + 26 + _HEIGHT)
    up = _scale(figures, y, area.bottom, area.top)
    right = _scale(_figures([a for _, a, _ in known], x), x, area.left, area.right)
    made += [drawn.upright_lines(area, right), drawn.level_lines(area, up)]
    places = [(name, (right.place(a), up.place(b))) for name, a, b in known]
    told = [f"{name}: {far} {figure(a, x.unit)}, {high} {figure(b, y.unit)}" for name, a, b in known]
    made += [drawn.point(at, 0, said, 6) for (_, at), said in zip(places, told, strict=True)]
    # Their edge is of the page's colour, so that a line behind them does not cross their letters.
    made += [f'<g stroke="{drawn.PAGE}" stroke-width="4" paint-order="stroke">', *_labels(places, area), "</g>"]
    made.append(words(area.right, area.bottom + 38, f"{far} →", anchor="end", fill=drawn.MUTED))
    if lacking:
        made.append(words(2, area.bottom + 60, _unknown(lacking), fill=drawn.MUTED))
        told.append(_unknown(lacking))
    return Plot(picture(title, listed(told), area.bottom + (70 if lacking else 46), made), title, shown)


def _unknown(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""  # noqa: PLR2004 - names in one line
    return f"Not shown, because a figure is unknown: {', '.join(names[:4])}{more}."


def _figures(values: Sequence[float], axis: Axis) -> list[float]:
    """Round figures around all values; from zero on where that leaves the points apart."""
    least, most = min(values), max(values)
    if axis.log:
        return _powers(least, most)
    if axis.unit == "share":
        return ticks(0.0, max(1.0, most))
    return ticks(0.0 if 0 <= least < most * 0.7 or least == most else least, most)


def _powers(least: float, most: float) -> list[float]:
    """Figures that begin with 1, and with 2 and 5 where they are few."""
    first, last = floor(log10(least) + 1e-9), floor(log10(most) - 1e-9) + 1
    starts = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first <= 3 else (1,)  # noqa: PLR2004 - decades
    every = [round(start * 10.0**power, 12 - power) for power in range(first, last + 1) for start in starts]
    low = max(place for place, each in enumerate(every) if each <= least * 1.0001)
    high = min((place for place, each in enumerate(every) if each >= most * 0.9999), default=len(every) - 1)
    return every[low : max(high, low + 1) + 1]


def _scale(figures: Sequence[float], axis: Axis, start: float, end: float) -> Scale:
    if not axis.log:
        return linear(figures, axis.unit, start, end)
    low, span = log10(figures[0]), log10(figures[-1]) - log10(figures[0])
    said = [figure(each, axis.unit) for each in figures]
    marks = [(each, word.rstrip("0") if "0.00" in word else word) for each, word in zip(figures, said, strict=True)]
    return Scale(lambda value: start + (log10(value) - low) / span * (end - start), marks)


def _labels(places: Sequence[tuple[str, drawn.Place]], area: Area) -> list[str]:
    """The names beside their points, each at the first side where it covers nothing; the rest are only told."""
    taken: list[drawn.Box] = [(x - _NEAR, y - _NEAR, x + _NEAR, y + _NEAR) for _, (x, y) in places]
    made = []
    for name, (x, y) in places:
        wide = drawn.width(name)
        sides = (
            (x + _BESIDE, y + 4, "start", x + _BESIDE),
            (x - _BESIDE, y + 4, "end", x - _BESIDE - wide),
            (x, y - _BESIDE, "middle", x - wide / 2),
            (x, y + _BESIDE + 9, "middle", x - wide / 2),
        )
        for at, line, anchor, left in sides:
            box = (left, line - 10, left + wide, line + 3)
            inside = area.left < left and left + wide <= WIDTH and line - 10 > area.top - 20 and line < area.bottom
            if inside and not any(_cross(box, other) for other in taken):
                taken.append(box)
                made.append(words(at, line, name, anchor=anchor))
                break
    return made


def _cross(one: drawn.Box, other: drawn.Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
