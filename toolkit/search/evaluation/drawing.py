"""A picture of lines, marks and words, as SVG, or as PNG where Pillow is installed.

Its colours are of middling lightness and its ground is transparent, so that it is legible on a white page and on a dark
one. Coordinates are pixels from the upper left corner.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Literal, TypeAlias

from toolkit.errors import ConfigError

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

INK = "#768390"
COLOURS = ("#3b7dd8", "#d9772b", "#2a9d6f", "#a05bc9", "#c2456b", "#8a7a2e")
"""One per series; after the last the first comes again."""

Mark: TypeAlias = Literal["dot", "square", "diamond", "triangle", "wedge", "bar"]
MARKS: tuple[Mark, ...] = ("dot", "square", "diamond", "triangle", "wedge", "bar")
"""One per series beside its colour, for those who cannot tell the colours apart."""

_FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif"
_SCALE = 2  # a PNG has so many pixels for one of the picture's
_LETTER = 0.56  # of the font's size: a letter's width on average


@dataclass(frozen=True, slots=True)
class Line:
    """Through `points`, in order."""

    points: Sequence[tuple[float, float]]
    colour: str = INK
    width: float = 1.0
    opacity: float = 1.0
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """A mark around a place."""

    x: float
    y: float
    colour: str
    mark: Mark = "dot"
    radius: float = 4.0


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text; `y` is where its letters stand, `anchor` which end of it is at `x`."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "start"
    colour: str = INK
    size: float = 12.0
    bold: bool = False


Shape: TypeAlias = Line | Point | Words


@dataclass(frozen=True, slots=True)
class Picture:
    """Shapes on a transparent ground, the last on top; `title` is for those who cannot see it."""

    width: float
    height: float
    title: str
    shapes: Sequence[Shape]

    def svg(self) -> str:
        """The picture as an SVG document."""
        size = f'width="{self.width:g}" height="{self.height:g}" viewBox="0 0 {self.width:g} {self.height:g}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{_FONT}">'
        return "\n".join([head, f"<title>{escape(self.title)}</title>", *map(_svg, self.shapes), "</svg>", ""])

    def png(self) -> bytes:
        """The picture as a PNG, two pixels for one.

        Raises:
            ConfigError: Pillow is not installed.
        """
        try:
            from PIL import Image, ImageDraw  # noqa: PLC0415 - only who wants a PNG needs it
        except ModuleNotFoundError:
            raise ConfigError("A PNG needs the package pillow (pip install pillow); an SVG needs nothing.") from None
        image = Image.new("RGBA", (round(self.width * _SCALE), round(self.height * _SCALE)), (0, 0, 0, 0))
        canvas = ImageDraw.Draw(image)
        for shape in self.shapes:
            _paint(canvas, shape)
        data = BytesIO()
        image.save(data, "PNG")
        return data.getvalue()


def width(text: str, size: float = 12.0) -> float:
    """About how wide a text is."""
    return len(text) * size * _LETTER


def _svg(shape: Shape) -> str:
    if isinstance(shape, Line):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        more = f' opacity="{shape.opacity:g}"' * (shape.opacity < 1) + ' stroke-dasharray="4 3"' * shape.dashed
        return (
            f'<polyline points="{points}" fill="none" stroke="{shape.colour}" stroke-width="{shape.width:g}" '
            f'stroke-linejoin="round"{more}/>'
        )
    if isinstance(shape, Point):
        if shape.mark == "dot":
            return f'<circle cx="{shape.x:.1f}" cy="{shape.y:.1f}" r="{shape.radius:g}" fill="{shape.colour}"/>'
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in _corners(shape))
        return f'<polygon points="{corners}" fill="{shape.colour}"/>'
    bold = ' font-weight="600"' * shape.bold
    return (
        f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size:g}" fill="{shape.colour}" '
        f'text-anchor="{shape.anchor}"{bold}>{escape(shape.text)}</text>'
    )


def _corners(point: Point) -> Iterator[tuple[float, float]]:
    """Of a mark that has some; each mark has about the area of the dot."""
    r = point.radius
    turns = {
        "square": [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
        "diamond": [(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
        "triangle": [(0.0, -1.2), (1.25, 0.95), (-1.25, 0.95)],
        "wedge": [(0.0, 1.2), (1.25, -0.95), (-1.25, -0.95)],
        "bar": [(-0.5, -1.4), (0.5, -1.4), (0.5, 1.4), (-0.5, 1.4)],
    }
    return ((point.x + dx * r, point.y + dy * r) for dx, dy in turns[point.mark])


def _paint(canvas: "ImageDraw", shape: Shape) -> None:
    if isinstance(shape, Line):
        ink = f"{shape.colour}{round(shape.opacity * 255):02x}"
        for start, end in _strokes(shape):
            canvas.line([_scaled(start), _scaled(end)], fill=ink, width=max(1, round(shape.width * _SCALE)))
    elif isinstance(shape, Point):
        if shape.mark == "dot":
            canvas.circle(_scaled((shape.x, shape.y)), shape.radius * _SCALE, fill=shape.colour)
        else:
            canvas.polygon([_scaled(corner) for corner in _corners(shape)], fill=shape.colour)
    else:
        from PIL import ImageFont  # noqa: PLC0415 - as in `Picture.png`

        font = ImageFont.load_default(shape.size * _SCALE)
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
        bold = 0.6 if shape.bold else 0
        canvas.text(_scaled((shape.x, shape.y)), shape.text, shape.colour, font, anchor, stroke_width=bold)


def _strokes(line: Line) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """The straight pieces of a line: from point to point, or its dashes."""
    for (x1, y1), (x2, y2) in zip(line.points, line.points[1:], strict=False):
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        if not line.dashed or not length:
            yield (x1, y1), (x2, y2)
            continue
        at = 0.0
        while at < length:
            a, b = at / length, min(at + 4, length) / length
            yield (x1 + (x2 - x1) * a, y1 + (y2 - y1) * a), (x1 + (x2 - x1) * b, y1 + (y2 - y1) * b)
            at += 7


def _scaled(place: tuple[float, float]) -> tuple[float, float]:
    return place[0] * _SCALE, place[1] * _SCALE
