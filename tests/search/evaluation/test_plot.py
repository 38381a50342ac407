"""The picture of a report: well-formed, whole, inside its frame."""

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from tests.search.evaluation.test_report import BEST, ONE, TWO, WORST
from toolkit.search.evaluation.drawing import MARKS, Line, Picture, Point, Shape, Words
from toolkit.search.evaluation.judgements import Judgements
from toolkit.search.evaluation.plot import plot
from toolkit.search.evaluation.report import Report, Run, report

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def whole() -> Report:
    return report([ONE, TWO], [*WORST, *BEST])


def texts(picture: Picture) -> list[str]:
    return [each.text or "" for each in ET.fromstring(picture.svg()).iter(f"{SVG}text")]


def test_it_shows_every_configuration_collection_and_figure(whole: Report) -> None:
    said = texts(plot(whole))

    assert {"worst", "best", "one (3)", "two (1)", "mean of 2", "nDCG@10, with 95 % intervals"} <= set(said)
    assert all(f"{figure.mean:.3f}" in said for figure in whole.figures if figure.measure == "nDCG@10")
    assert "the same queries, less worst" in said
    assert f"{whole.differences[0].mean:+.3f}" in said


def test_everything_lies_inside_the_frame(whole: Report) -> None:
    picture = plot(whole)

    for shape in picture.shapes:
        for x, y in shape.points if isinstance(shape, Line) else [(shape.x, shape.y)]:
            assert 0 <= x <= picture.width
            assert 0 <= y <= picture.height


def test_one_configuration_has_no_differences() -> None:
    said = texts(plot(report([ONE], BEST[:1])))

    assert "one (3)" in said
    assert not any("less" in each for each in said)


def test_a_name_that_looks_like_markup_stays_a_name() -> None:
    name = "<script>&amp;"
    strange = Judgements(name, {"q": "?"}, {"q": {"a": 1.0}}, None, 0)

    assert f"{name} (1)" in texts(plot(report([strange], [Run(name, "x", {"q": ["a"]}, [1.0])])))


def test_svg_says_what_it_shows(whole: Report) -> None:
    root = ET.fromstring(plot(whole).svg())

    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title") == "nDCG@10 of worst, best on one, two, mean"


def test_a_png_has_two_pixels_for_one_and_the_colours(whole: Report) -> None:
    Image: Any = pytest.importorskip("PIL.Image")  # noqa: N806 - a module
    from io import BytesIO  # noqa: PLC0415

    shapes: list[Shape] = [
        Line([(0, 10), (40, 10)], "#ff0000", 4, dashed=True),
        Point(20, 30, "#00ff00"),
        Words(2, 50, "words"),
    ]
    shapes += [Point(50, 30, "#0000ff", mark) for mark in MARKS[1:]]

    image = Image.open(BytesIO(Picture(60, 60, "x", shapes).png()))

    assert image.size == (120, 120)
    assert image.getpixel((40, 60)) == (0, 255, 0, 255)
    assert image.getpixel((100, 60)) == (0, 0, 255, 255)
    assert image.getpixel((1, 1))[3] == 0
    assert Image.open(BytesIO(plot(whole).png())).size[0] > 500
