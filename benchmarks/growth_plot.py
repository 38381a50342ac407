"""Draws what `growth` has measured."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.growth import Point

# Of middling lightness, so that they stand out from a white page and from a dark one.
INK = "#768390"
COLOURS = {"sqlite": "#3b7dd8", "postgres": "#d9772b"}
NAMES = {"sqlite": "SQLite", "postgres": "Postgres"}
TITLES = {"ledger": "rows in the ledger", "session": "messages in the session"}


def draw(points: "Sequence[Point]", file: Path) -> None:
    """Draw both databases in one figure: what grows from left to right, milliseconds upwards."""
    import matplotlib as mpl  # noqa: PLC0415 - needed for this alone

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the backend is chosen

    style: dict[Any, Any] = {
        "svg.fonttype": "none",  # text stays text, in the reader's font
        "svg.hashsalt": "growth",
        "font.family": "sans-serif",
        "font.sans-serif": ["system-ui", "Segoe UI", "Helvetica", "Arial", "DejaVu Sans"],
        "font.size": 11,
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    }
    with mpl.rc_context(style):
        figure, panels = plt.subplots(1, 2, figsize=(9.6, 3.6), sharey=True, layout="constrained")
        for panel, (grown, title) in zip(panels, TITLES.items(), strict=True):
            _panel(panel, [p for p in points if p.grown == grown])
            panel.set_xlabel(title)
        panels[0].set_ylabel("milliseconds, median")
        lines = sorted(panels[0].get_lines(), key=lambda line: str(line.get_label()).partition(": ")[2])
        figure.legend(handles=lines, loc="outside upper center", ncols=3, frameon=False, fontsize=10)
        metadata = {"Date": None, "Title": "What a write and a read cost while the tables grow"}
        figure.savefig(file, transparent=True, metadata=metadata)
        plt.close(figure)


def _panel(axes: Any, points: "Sequence[Point]") -> None:
    lines = (("a unit, one caller", "write_ms", "-", "o"), ("a unit, 64 callers", "together_ms", "--", "s"))
    for database, name in NAMES.items():
        mine = sorted((p for p in points if p.database == database), key=lambda p: p.rows)
        for label, figure, line, sign in (*lines, ("20 messages read", "read_ms", ":", "^")):
            known = [(p.rows, getattr(p, figure)) for p in mine if getattr(p, figure) is not None]
            if known:
                x, y = zip(*known, strict=True)
                axes.plot(x, y, line, marker=sign, ms=4, lw=1.6, color=COLOURS[database], label=f"{name}: {label}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(color=INK, alpha=0.2, lw=0.6)
    axes.tick_params(which="minor", length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
