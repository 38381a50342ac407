"""Lines over days or steps."""

from collections.abc import Mapping, Sequence
from typing import Final

from toolkit.display import drawn
from toolkit.display.drawn import SERIES, WIDTH, Area, linear, picture, plain, words
from toolkit.display.figures import Unit, figure
from toolkit.display.plot import NOTHING, Plot, Values, counted, headed, listed, nothing, number

_HEIGHT: Final = 190


def lines(
    title: str,
    groups: Sequence[str],
    series: Mapping[str, Values],
    *,
    unit: Unit = "number",
    heading: bool = True,
    empty: str = NOTHING,
) -> Plot:
    """A line for each series over groups in their order, e.g. days; it breaks where a value is unknown.

    Args:
        title: what is shown.
        groups: the names below, in order.
        series: the values of each, one for each group; the first five are shown.
        unit: of the values.
        heading: whether the title stands above the lines.
        empty: what is said where there is no value.
    """
    names = [plain(group) for group in groups]
    title = plain(title, 100)
    shown = f"{counted(len(groups), 'group')}, {counted(len(series), 'series')}"
    kept = [(plain(name, 40), [number(value) for value in values]) for name, values in series.items()][: SERIES + 1]
    known = [value for _, values in kept for value in values if value is not None]
    if not known:
        return nothing(title, empty, shown, heading=heading)
    made, top = headed(title, heading=heading)
    names_of_series, top = drawn.legend([name for name, _ in kept], top, drawn.spot)
    made.append(names_of_series)
    if len(series) > len(kept):
        made.append(words(2, top + 8, f"and {len(series) - len(kept)} more, not shown", fill=drawn.MUTED))
        top += 18
    figures, side = drawn.upwards(known, unit)
    area = Area(side, top + 8, WIDTH - 10, top + 8 + _HEIGHT)
    scale = linear(figures, unit, area.bottom, area.top)
    step, middles = drawn.columns(area, len(names))
    made.append(drawn.level_lines(area, scale))
    for place, (name, values) in enumerate(kept):
        points = [None if value is None else (x, scale.place(value)) for x, value in zip(middles, values, strict=True)]
        made += [drawn.path(piece, place) for piece in _pieces(points)]
        radius = 4.5 if step > 14 else 2.5  # noqa: PLR2004 - pixels
        for group, value, at in zip(names, values, points, strict=True):
            if at is not None:
                made.append(drawn.point(at, place, f"{name}, {group}: {figure(value, unit)}", radius))
    made.append(drawn.names_below(names, middles, area.bottom))
    ends = ((name, [value for value in values if value is not None]) for name, values in kept)
    said = listed(f"{name}: from {figure(v[0], unit)} to {figure(v[-1], unit)}" for name, v in ends if v)
    return Plot(picture(title, said, area.bottom + 28, made), title, shown)


def _pieces(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """The runs of points between those that are missing."""
    found: list[list[tuple[float, float]]] = [[]]
    for each in points:
        if each is None:
            found.append([])
        else:
            found[-1].append(each)
    return [piece for piece in found if len(piece) > 1]
