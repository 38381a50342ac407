"""Plots as SVG: no package is needed, the bytes are the same each time, and they follow the page's theme.

    stacked_bars("Cost per day", ["Mon", "Tue"], {"small": [0.2, 0.1], "large": [1.5, None]}, unit="dollars")

A value that is None is unknown: it is said to be, and never drawn as 0.
"""

from toolkit.display.bars import bars, stacked_bars
from toolkit.display.lines import lines
from toolkit.display.plot import Plot
from toolkit.display.scatter import Axis, scatter

__all__ = ["Axis", "Plot", "bars", "lines", "scatter", "stacked_bars"]
