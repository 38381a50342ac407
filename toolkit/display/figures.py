"""Figures of a plot as people read them, and the round ones that stand at its axes."""

from collections.abc import Callable, Sequence
from datetime import date
from math import ceil, floor, isfinite, log10
from typing import Final, Literal, TypeAlias

from toolkit.display.words import seconds

Unit: TypeAlias = Literal["number", "dollars", "milliseconds", "tokens", "share"]
"""What is measured; a share is a part of 1, read in percent."""

UNKNOWN: Final = "unknown"

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LARGE: Final = ((1e9, "B"), (1e6, "M"), (1e4, "k"))
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_DIGITS: Final = 2  # that count, of an amount below a cent
_CENT: Final = 0.01
_NARROW: Final = "\u202f"  # between thousands, as in `words`


def figure(value: float | None, unit: Unit = "number") -> str:
    """A value in words; what is not known, or is no number, is said to be unknown."""
    if value is None or not isfinite(value):
        return UNKNOWN
    match unit:
        case "dollars":
            return amount(value)
        case "milliseconds":
            return seconds(value)
        case "share":
            return f"{value:.1%}".replace(".0%", "%")
        case "tokens":
            return short(value)
        case _:
            return grouped(value, 0 if value == round(value) else _decimals(abs(value) / 100))


def amount(usd: float) -> str:
    """US dollars: two digits after the point from a cent on, below it the two that count."""
    size = abs(usd)
    if not size:
        return "$0"
    digits = 2 if size >= _CENT else _DIGITS - 1 - floor(log10(size))
    return f"{'-' if usd < 0 else ''}${grouped(size, min(digits, 12))}"


def short(number: float) -> str:
    """A number in a few letters: 950, 12.3 k, 4 M."""
    for least, letter in _LARGE:
        if abs(number) >= least:
            return f"{number / (1e3 if letter == 'k' else least):.1f}".removesuffix(".0") + _NARROW + letter
    return grouped(number, 0)


def grouped(number: float, decimals: int) -> str:
    """A number with so many digits after the point, and thousands apart."""
    return f"{number:,.{decimals}f}".replace(",", _NARROW)


def day(iso: str, *, year: bool = False) -> str:
    """A day, YYYY-MM-DD, as `Nov 13`; anything else as it is."""
    try:
        read = date.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{_MONTHS[read.month - 1]} {read.day}" + (f", {read.year}" if year else "")


def ticks(least: float, most: float, *, whole: bool = False, about: int = 4) -> list[float]:
    """Round figures, evenly apart, from at or below `least` to at or above `most`; at least two.

    Args:
        least: the smallest value.
        most: the largest one.
        whole: they are whole numbers, and so are the figures.
        about: how many steps there are, more or less.
    """
    if not most > least:
        most = least + (1.0 if not least else abs(least))
    rough = (most - least) / about
    power = 10.0 ** floor(log10(rough))
    step = next(each * power for each in _STEPS if each * power >= rough * 0.999)
    if whole:
        step = max(1.0, float(ceil(step - 1e-9)))
    first, last = floor(least / step + 1e-9), ceil(most / step - 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def tick_words(values: Sequence[float], unit: Unit = "number") -> list[str]:
    """The figures at an axis, all with the same digits after the point."""
    step = values[1] - values[0]
    written: Callable[[float], str]
    match unit:
        case "dollars":
            written = lambda value: f"${grouped(value, max(_decimals(step), 2 if step < 1 else 0))}"  # noqa: E731
        case "milliseconds" if values[-1] < 1000:  # noqa: PLR2004 - from a second on they are seconds
            written = lambda value: f"{grouped(value, _decimals(step))} ms"  # noqa: E731
        case "milliseconds":
            written = lambda value: f"{grouped(value / 1000, _decimals(step / 1000))} s"  # noqa: E731
        case "share":
            written = lambda value: f"{grouped(value * 100, _decimals(step * 100))}%"  # noqa: E731
        case _ if values[-1] >= _LARGE[-1][0]:
            written = short
        case _:
            written = lambda value: grouped(value, _decimals(step))  # noqa: E731
    return ["0" if not value and unit != "share" else written(value) for value in values]


def _decimals(step: float) -> int:
    """Digits after the point that tell figures apart that are `step` from each other."""
    if not step:
        return 0
    exact = max(0, -floor(log10(step) + 1e-9))
    return exact if abs(round(step, exact) - step) < step * 1e-6 else exact + 1
