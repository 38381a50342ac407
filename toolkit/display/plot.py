"""A plot: its picture, and the words that belong to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Final, TypeAlias

from toolkit.display.drawn import MUTED, picture, plain, words
from toolkit.display.sheet import sheet

Values: TypeAlias = Sequence[float | None]
"""One for each group; None is unknown."""

NOTHING: Final = "There is nothing to show yet."

MOST_ROWS: Final = 20
"""Bars below each other, and figures in a description; of more, the first are shown."""

_TITLE: Final = 26  # pixels of the title's line
_FIGURES: Final = 400  # characters of a description


@dataclass(frozen=True, slots=True, repr=False)
class Plot:
    """A plot, which a notebook shows as the value of a cell.

    Attributes:
        svg: the picture, a document of its own: it may be written to a file.
        title: what it shows.
        shown: how much, in words.
    """

    svg: str
    title: str
    shown: str

    def __str__(self) -> str:
        """The SVG."""
        return self.svg

    def __repr__(self) -> str:
        """The same at every run, and short."""
        return f"Plot({self.title}, {self.shown})"

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to a file, e.g. `cost.svg`; on a page of its own it has colours for light and dark."""
        Path(path).write_text(self.svg, encoding="utf-8")

    def _repr_html_(self) -> str:
        style = f"<style>{sheet('page', 'plot')}</style>"
        return f'{style}<div class="toolkit-page toolkit-plot tex2jax_ignore mathjax_ignore">{self.svg}</div>'


def headed(title: str, *, heading: bool) -> tuple[list[str], float]:
    """The title, where it is to be seen, and where the rest begins."""
    return ([words(2, 15, title, size=13, bold=True)], float(_TITLE)) if heading else ([], 0.0)


def nothing(title: str, said: str, shown: str, *, heading: bool) -> Plot:
    """The plot of no values: a sentence."""
    made, top = headed(title, heading=heading)
    said = plain(said, 120)
    made.append(words(2, top + 22, said, fill=MUTED))
    return Plot(picture(title, said, top + 40, made), title, shown)


def number(value: float | None) -> float | None:
    """A value that can be drawn; what is no number is unknown."""
    return float(value) if value is not None and isfinite(value) else None


def listed(parts: Iterable[str]) -> str:
    """Figures in one line, for those who cannot see them, of bounded length."""
    found = list(parts)
    said = "; ".join(found[:MOST_ROWS])
    more = f"; and {len(found) - MOST_ROWS} more" if len(found) > MOST_ROWS else ""
    return (said if len(said) <= _FIGURES else said[: _FIGURES - 1] + "…") + more


def counted(count: int, what: str) -> str:
    """How many there are."""
    return f"{count} {what}{'' if count == 1 or what == 'series' else 's'}"
