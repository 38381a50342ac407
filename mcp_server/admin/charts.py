"""Bars as SVG: only numbers and words that the server has computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Final

WIDTH: Final = 1100
HEIGHT: Final = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 12, 26  # room for the figures at the side and the days below
_LABELS = 10  # days that are named below the bars, about


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: where it stands, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    label: str
    value: float
    named: bool


@dataclass(frozen=True, slots=True)
class Bars:
    """A chart.

    Attributes:
        ticks: height and value of each line across.
    """

    bars: list[Bar]
    ticks: list[tuple[float, float]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    floor: int = HEIGHT - _BOTTOM


def bars(values: Sequence[tuple[str, float]], *, whole: bool = False) -> Bars:
    """One bar for each value, in order.

    Args:
        values: each with its label.
        whole: they are whole numbers.
    """
    most = _round(max((value for _, value in values), default=0.0), whole=whole)
    room, bottom = HEIGHT - _TOP - _BOTTOM, HEIGHT - _BOTTOM
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(values))
    width = min(48.0, step * (0.62 if step > 8 else 0.8))  # noqa: PLR2004 - thin ones need less air
    every = max(1, -(-len(values) // _LABELS))
    made = [
        Bar(
            x=round(_LEFT + place * step + (step - width) / 2, 2),
            y=round(bottom - room * value / most, 2),
            width=round(width, 2),
            height=round(room * value / most, 2),
            label=label,
            value=value,
            named=(len(values) - 1 - place) % every == 0,
        )
        for place, (label, value) in enumerate(values)
    ]
    return Bars(made, [(round(bottom - room * part, 2), most * part) for part in (0.0, 0.5, 1.0)])


def _round(most: float, *, whole: bool) -> float:
    """The next figure from `most` on that reads well, and so does its half."""
    if most <= 0:
        return 2.0 if whole else 1.0
    power = 10.0 ** floor(log10(most))
    if whole:
        power = max(1.0, power)
    steps = (2, 4, 6, 8, 10) if whole and power == 1 else (1, 2, 3, 4, 5, 6, 8, 10)
    return next(step * power for step in steps if step * power >= most * 0.999 or step == steps[-1])
