"""Bars: a stack of them for each day, or one for each name."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from toolkit.display import drawn
from toolkit.display.drawn import SERIES, WIDTH, Area, Scale, linear, picture, plain, words
from toolkit.display.figures import UNKNOWN, Unit, figure
from toolkit.display.plot import MOST_ROWS, NOTHING, Plot, Values, counted, headed, listed, nothing, number

OTHERS: Final = "others"
"""What the series beyond the first four are called together."""

MOST_GROUPS: Final = 120
"""Stacks side by side; of more, those that follow each other are added up."""

_STACKS: Final = 190  # pixels of the highest stack
_ROW: Final = 27
_NAME: Final = 260.0  # pixels of a name beside its bar, at most

Part = tuple[str, list[float | None]]
"""The name of a series, and its values."""


def stacked_bars(
    title: str,
    groups: Sequence[str],
    series: Mapping[str, Values],
    *,
    unit: Unit = "number",
    heading: bool = True,
    whole: bool = False,
    empty: str = NOTHING,
) -> Plot:
    """A stack of bars for each group, e.g. each day, with a part for each series.

    Args:
        title: what is shown.
        groups: the names below the stacks, in order.
        series: the values of each, one for each group; of more than five all after the fourth are added up.
        unit: of the values, none of them below 0.
        heading: whether the title stands above the bars; it is there for screen readers in any case.
        whole: the values are whole numbers.
        empty: what is said where there is no value.
    """
    title = plain(title, 100)
    shown = f"{counted(len(groups), 'group')}, {counted(len(series), 'series')}"
    given = [(plain(name, 40), [number(value) for value in values]) for name, values in series.items()]
    names, parts = _gathered([plain(group) for group in groups], _folded(given))
    sums = [
        sum(value or 0 for _, values in parts for value in values[place : place + 1]) for place in range(len(names))
    ]
    if not any(sums) and all(value is not None for _, values in parts for value in values):
        return nothing(title, empty, shown, heading=heading)
    made, top = headed(title, heading=heading)
    if len(parts) > 1:
        names_of_series, top = drawn.legend([name for name, _ in parts], top, drawn.swatch)
        made.append(names_of_series)
    figures, side = drawn.upwards(sums, unit, whole=whole)
    area = Area(side, top + 8, WIDTH - 2, top + 8 + _STACKS)
    scale = linear(figures, unit, area.bottom, area.top)
    made.append(drawn.level_lines(area, scale))
    step, middles = drawn.columns(area, len(names))
    for place, name in enumerate(names):
        stack = [(part, values[place]) for part, values in parts]
        told = _told(name, stack, unit)
        made.append(f"<g><title>{escape(told)}</title>{drawn.ground(area, middles[place], step)}")
        made += [*_stack(name, stack, scale, unit, middle=middles[place], step=step), "</g>"]
    made.append(drawn.names_below(names, middles, area.bottom))
    said = listed(
        _told(name, [(part, values[place]) for part, values in parts], unit) for place, name in enumerate(names)
    )
    return Plot(picture(title, said, area.bottom + 28, made), title, shown)


def bars(
    title: str, values: Mapping[str, float | None], *, unit: Unit = "number", heading: bool = True, empty: str = NOTHING
) -> Plot:
    """A bar for each value, below each other, in order; each with its name and its figure.

    Args:
        title: what is shown.
        values: by name, none of them below 0; the first `MOST_ROWS` are shown.
        unit: of the values.
        heading: whether the title stands above the bars.
        empty: what is said where there is no value.
    """
    title = plain(title, 100)
    shown = counted(len(values), "bar")
    if not values:
        return nothing(title, empty, shown, heading=heading)
    every = [(plain(name), number(value)) for name, value in values.items()]
    rows = [(name, value, figure(value, unit)) for name, value in every[:MOST_ROWS]]
    made, top = headed(title, heading=heading)
    left = min(_NAME, max(drawn.width(name) for name, _, _ in rows) + 12)
    right = WIDTH - max(drawn.width(told) for _, _, told in rows) - 14
    most = max((value or 0 for _, value, _ in rows), default=0) or 1
    for place, (name, value, told) in enumerate(rows):
        y = top + 4 + place * _ROW
        made.append(words(left - 10, y + 15, drawn.fitting(name, left - 10), anchor="end"))
        if value is None:
            made.append(words(left, y + 15, told, fill=drawn.MUTED))
            continue
        wide = max(1.5, value / most * (right - left)) if value > 0 else 0.0
        made += [drawn.bar((left, y + 2, wide, _ROW - 9), 0, f"{name}: {told}"), words(left + wide + 8, y + 15, told)]
    height = top + 8 + len(rows) * _ROW
    if len(every) > len(rows):
        made.append(words(left, height + 12, f"and {len(every) - len(rows)} more", fill=drawn.MUTED))
        height += 22
    said = listed(f"{name}: {figure(value, unit)}" for name, value in every)
    return Plot(picture(title, said, height, made), title, shown)


def _stack(
    group: str, stack: Sequence[tuple[str, float | None]], scale: Scale, unit: Unit, *, middle: float, step: float
) -> list[str]:
    """The bars of one group on each other, and a mark above where something is unknown."""
    wide = min(54.0, step * (0.66 if step > 12 else 0.84))  # noqa: PLR2004 - thin ones need less air
    total, made = 0.0, []
    for place, (name, value) in enumerate(stack):
        if not value:
            continue
        high, low = scale.place(total + value), scale.place(total)
        gap = 1.5 if total and low - high > 4 else 0  # noqa: PLR2004 - a low one would vanish
        told = f"{group}, {name}: {figure(value, unit)}" if len(stack) > 1 else f"{group}: {figure(value, unit)}"
        made.append(drawn.bar((middle - wide / 2, high, wide, max(low - high - gap, 0.5)), place, told))
        total += value
    if any(value is None for _, value in stack):
        made.append(words(middle, scale.place(total) - 5, "?", anchor="middle", fill=drawn.MUTED, bold=True))
    return made


def _told(group: str, stack: Sequence[tuple[str, float | None]], unit: Unit) -> str:
    """All of a group in words."""
    unknown = [name for name, value in stack if value is None]
    total = sum(value or 0 for _, value in stack)
    if len(unknown) == len(stack):
        return f"{group}: {UNKNOWN}"
    return f"{group}: {figure(total, unit)}" + (f", and unknown of {', '.join(unknown)}" if unknown else "")


def _folded(series: Sequence[Part]) -> list[Part]:
    """The first series, and the sum of all others where they are more than one."""
    kept, rest = list(series[:SERIES]), series[SERIES:]
    if len(rest) == 1:
        kept += rest
    elif rest:
        columns = zip(*(values for _, values in rest), strict=True)
        kept.append((f"{OTHERS} ({len(rest)})", [_sum(column) for column in columns]))
    return kept


def _gathered(names: list[str], parts: list[Part]) -> tuple[list[str], list[Part]]:
    """Groups that follow each other added up, so that no more are left than have room."""
    size = -(-len(names) // MOST_GROUPS)
    if size <= 1:
        return names, parts
    ranges = [slice(first, first + size) for first in range(0, len(names), size)]
    joined = [f"{names[each][0]} – {names[each][-1]}" for each in ranges]
    return joined, [(name, [_sum(values[each]) for each in ranges]) for name, values in parts]


def _sum(values: Values) -> float | None:
    """The sum of what is known; None if something is there and nothing is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known or not values else None
