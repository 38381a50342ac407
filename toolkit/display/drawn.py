"""What plots are drawn of: marks, words, axes and legends, as SVG.

A colour is a variable of the page that the plot stands on, with one that is legible on white and on black where the
page has none. It is an attribute and no style, so that it also holds where a page forbids styles. No series is told by
its colour alone: its bars have a texture, its points a shape.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias
from unicodedata import category, east_asian_width

from toolkit.display.figures import Unit, tick_words, ticks

WIDTH = 820
"""Of every plot; it shrinks with its page."""

SERIES = 4
"""Series that have a colour of their own; all others share the last one."""

COLOURS = tuple(
    f"var(--tk-series{number},{colour})"
    for number, colour in enumerate(("#2a78d6", "#138a77", "#c06a00", "#8e5bd0", "#757575"), 1)
)
MUTED = "var(--tk-muted,currentColor)"
LINE = "var(--tk-line,#88888866)"
EDGE = "var(--tk-edge,#888888)"
PAGE = "var(--tk-page,#ffffff)"

_LETTER, _WIDE = 7.0, 12.5  # pixels of a letter at 12 pixels' size, on average
_TURNS = {
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "diamond": ((0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)),
    "triangle": ((0.0, -1.25), (1.25, 0.95), (-1.25, 0.95)),
    "wedge": ((0.0, 1.25), (1.25, -0.95), (-1.25, -0.95)),
}
_SHAPES = ("dot", *_TURNS)
_NAME = 110  # pixels of a name below a column, at most
_ROOM, _THIN = 3, 9  # pixels: what a stripe needs, and below which a bar has none
_ACROSS, _DOWN = (1, 3), (2, 3)  # series whose bars are striped across, and up and down; the fourth both


Place: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Area:
    """Where the values are drawn: pixels from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels, and the figures at the axis: value and words of each."""

    place: Callable[[float], float]
    marks: Sequence[tuple[float, str]]


def linear(figures: Sequence[float], unit: Unit, start: float, end: float) -> Scale:
    """A scale over round figures, the first at `start` and the last at `end`."""
    low, span = figures[0], figures[-1] - figures[0]
    return Scale(
        lambda value: start + (value - low) / span * (end - start),
        list(zip(figures, tick_words(figures, unit), strict=True)),
    )


def upwards(values: Sequence[float], unit: Unit, *, whole: bool = False) -> tuple[list[float], float]:
    """Round figures from zero over all values, and the room that their words need at the side."""
    found = ticks(min(0.0, *values), max(0.0, *values), whole=whole)
    return found, room(tick_words(found, unit))


def room(figures: Sequence[str]) -> float:
    """Pixels that the figures of an upright axis need."""
    return max(map(width, figures)) + 16


def plain(text: object, most: int = 60) -> str:
    """A label in one line without characters that nobody sees, cut to so many."""
    kept = "".join(" " if category(each)[0] in "ZC" else each for each in str(text)[: most * 4])
    line = " ".join(kept.split()) or "(not said)"
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def width(text: str, size: float = 12) -> float:
    """About how many pixels wide a text is."""
    return sum(_WIDE if east_asian_width(each) in "WF" else _LETTER for each in text) * size / 12


def fitting(text: str, pixels: float) -> str:
    """As much of a text as fits, with an ellipsis where it is cut."""
    if width(text) <= pixels:
        return text
    while text and width(text) + _LETTER > pixels:
        text = text[:-1]
    return text.rstrip() + "…"


def words(
    x: float, y: float, text: str, *, anchor: str = "start", fill: str = "", size: float = 12, bold: bool = False
) -> str:
    """A line of text; `anchor` says which end of it is at `x`."""
    more = f' text-anchor="{anchor}"' * (anchor != "start") + f' fill="{fill}"' * bool(fill)
    more += f' font-size="{size:g}"' * (size != 12) + ' font-weight="600"' * bold  # noqa: PLR2004 - the plot's own
    return f'<text x="{_n(x)}" y="{_n(y)}"{more}>{escape(text)}</text>'


def bar(place: Box, series: int, told: str = "") -> str:
    """A bar in the colour and texture of a series.

    Args:
        place: its left and upper edge, its width and height.
        series: whose, from 0 on.
        told: what is said of it when it is pointed at.
    """
    x, y, wide, high = place
    title = f"<title>{escape(told)}</title>" if told else ""
    size = f'x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="{_n(high)}"'
    if wide < _THIN:
        return f'<rect class="bar" {size} fill="{COLOURS[series]}">{title}</rect>'
    made = f'<rect class="bar" {size} rx="1.5" fill="{COLOURS[series]}">{title}</rect>'
    if series in _ACROSS and high > _ROOM:
        made += _stripes((x + wide / 2, y), (x + wide / 2, y + high), wide)
    if series in _DOWN:
        made += _stripes((x, y + high / 2), (x + wide, y + high / 2), high)
    return made


def ground(area: Area, middle: float, step: float) -> str:
    """The ground of one column, which is pointed at where it has no bar."""
    return (
        f'<rect class="whole" x="{_n(middle - step / 2)}" y="{_n(area.top)}" width="{_n(step)}" '
        f'height="{_n(area.bottom - area.top)}" fill="transparent"/>'
    )


def columns(area: Area, count: int) -> tuple[float, list[float]]:
    """How wide each of so many columns is, and their middles."""
    step = (area.right - area.left) / max(1, count)
    return step, [area.left + (place + 0.5) * step for place in range(count)]


def _stripes(start: Place, end: Place, wide: float) -> str:
    # A broad dashed line: a pattern would need an id, and ids must be unique on a page.
    return (
        f'<line x1="{_n(start[0])}" y1="{_n(start[1])}" x2="{_n(end[0])}" y2="{_n(end[1])}" stroke="{PAGE}" '
        f'stroke-width="{_n(wide)}" stroke-opacity="0.5" stroke-dasharray="1.2 3.8" stroke-dashoffset="2.5" '
        'pointer-events="none"/>'
    )


def point(at: Place, series: int, told: str = "", radius: float = 5) -> str:
    """A point in the colour and shape of a series; `told` is what is said of it when it is pointed at."""
    x, y = at
    title = f"<title>{escape(told)}</title>" if told else ""
    shape, look = _SHAPES[series], f'class="point" fill="{COLOURS[series]}" stroke="{PAGE}" stroke-width="1"'
    if shape == "dot":
        return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{radius:g}" {look}>{title}</circle>'
    corners = " ".join(f"{_n(x + dx * radius)},{_n(y + dy * radius)}" for dx, dy in _TURNS[shape])
    return f'<polygon points="{corners}" {look}>{title}</polygon>'


def path(points: Sequence[Place], series: int) -> str:
    """A line through points."""
    places = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
    return (
        f'<polyline points="{places}" fill="none" stroke="{COLOURS[series]}" stroke-width="2" '
        'stroke-linejoin="round" stroke-linecap="round"/>'
    )


def legend(names: Sequence[str], top: float, mark: Callable[[float, float, int], str]) -> tuple[str, float]:
    """The names beside their marks, in rows, and where these end."""
    made, x, y = [], 2.0, top + 14
    for series, name in enumerate(names):
        need = 20 + width(name) + 18
        if x > 2 and x + need > WIDTH:  # noqa: PLR2004 - not the first of its row
            x, y = 2.0, y + 20
        made.append(mark(x, y, series) + words(x + 19, y, name, fill=MUTED))
        x += need
    return "".join(made), y + 10


def swatch(x: float, y: float, series: int) -> str:
    """The mark of a series of bars in a legend."""
    return bar((x, y - 10.5, 13, 12), series)


def spot(x: float, y: float, series: int) -> str:
    """The mark of a series of points in a legend."""
    return point((x + 7, y - 4), series)


def level_lines(area: Area, scale: Scale) -> str:
    """Lines across at the figures of an upright axis; that of zero, or the lowest, is the floor."""
    floor = next((value for value, _ in scale.marks if value == 0), scale.marks[0][0])
    made = []
    for value, said in scale.marks:
        y = scale.place(value)
        ink = EDGE if value == floor else LINE
        made.append(
            f'<line x1="{_n(area.left)}" x2="{_n(area.right)}" y1="{_n(y)}" y2="{_n(y)}" stroke="{ink}"/>'
            + words(area.left - 8, y + 4, said, anchor="end", fill=MUTED)
        )
    return "".join(made)


def upright_lines(area: Area, scale: Scale) -> str:
    """Lines up at the figures of the axis below."""
    made = []
    for value, said in scale.marks:
        x = scale.place(value)
        made.append(
            f'<line x1="{_n(x)}" x2="{_n(x)}" y1="{_n(area.top)}" y2="{_n(area.bottom)}" stroke="{LINE}"/>'
            + words(x, area.bottom + 18, said, anchor="middle", fill=MUTED)
        )
    return "".join(made)


def names_below(names: Sequence[str], middles: Sequence[float], bottom: float) -> str:
    """The names of groups below them: as many as have room, the last one always."""
    if not names:
        return ""
    names = [fitting(name, _NAME) for name in names]
    step = middles[1] - middles[0] if len(middles) > 1 else float(WIDTH)
    every = max(1, -int(-(max(map(width, names)) + 14) // step))
    made = []
    for place, (name, x) in enumerate(zip(names, middles, strict=True)):
        if (len(names) - 1 - place) % every == 0:
            middle = min(x, WIDTH - 2 - width(name) / 2)
            made.append(words(middle, bottom + 18, name, anchor="middle", fill=MUTED))
    return "".join(made)


def picture(title: str, description: str, height: float, shapes: Sequence[str]) -> str:
    """The whole as an SVG document."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {_n(height)}" role="img" fill="currentColor" '
        f'font-family="system-ui, sans-serif" font-size="12"><title>{escape(title)}</title>'
        f"<desc>{escape(description)}</desc>{''.join(shapes)}</svg>"
    )


def _n(number: float) -> str:
    """To the tenth of a pixel, without what it does not need."""
    return f"{round(number, 1) + 0.0:g}"
