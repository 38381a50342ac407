"""Plots: the same bytes each time, for everybody's eyes and ears, and safe whatever their labels say."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from toolkit.display import drawn
from toolkit.display.bars import MOST_GROUPS
from toolkit.display.figures import day, figure, short, tick_words, ticks
from toolkit.display.plots import Axis, Plot, bars, lines, scatter, stacked_bars
from toolkit.display.sheet import sheet

DAYS = ["Nov 13", "Nov 14", "Nov 15"]
COST: dict[str, list[float | None]] = {"small": [0.2, 0.1, 0.0], "large": [1.5, None, 0.25]}
HOSTILE = '</title><script>alert(1)</script><img src=x onerror="alert(1)">\x00\u202e&'
SVG = "{http://www.w3.org/2000/svg}"


def tree(plot: Plot) -> ET.Element:
    return ET.fromstring(plot.svg)


def told(plot: Plot) -> list[str]:
    """What is said of the marks when they are pointed at."""
    return [title.text or "" for title in tree(plot).iter(f"{SVG}title")][1:]


def written(plot: Plot) -> list[str]:
    return [text.text or "" for text in tree(plot).iter(f"{SVG}text")]


def heights(plot: Plot, colour: str) -> list[float]:
    found = [bar for bar in tree(plot).iter(f"{SVG}rect") if bar.get("class") == "bar"]
    return [float(bar.get("height", 0)) for bar in found if colour in bar.get("fill", "")]


EVERY = {
    "stacked_bars": stacked_bars("Cost per day", DAYS, COST, unit="dollars"),
    "bars": bars("Cost", {"small": 0.3, "large": None}, unit="dollars"),
    "lines": lines("Cost", DAYS, COST, unit="dollars"),
    "scatter": scatter("Good", {"a": (0.1, 0.5), "b": (0.2, 1.0)}, x=Axis("cost", "dollars"), y=Axis("right", "share")),
}


@pytest.mark.parametrize("name", EVERY)
def test_a_plot_has_a_role_a_title_and_a_description_and_so_has_each_mark_a_title(name: str) -> None:
    root = tree(EVERY[name])
    assert root.get("role") == "img"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert all(child.text for child in root[:2])
    marks = [mark for mark in root.iter() if mark.get("class") in ("bar", "point")]
    named = [mark for mark in marks if mark.find(f"{SVG}title") is not None]
    swatches = {"stacked_bars": 2, "lines": 2}.get(name, 0)
    assert len(marks) - len(named) == swatches
    assert len(named) >= 1


def test_the_bytes_are_the_same_in_every_process_and_without_ids() -> None:
    script = f"from toolkit.display.plots import *; print(stacked_bars('Cost per day', {DAYS}, {COST}, unit='dollars'))"
    once = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True).stdout
        for _ in range(2)
    ]
    assert once[0] == once[1] == f"{EVERY['stacked_bars']}\n"
    assert not re.search(r"\b(id|style)=|<script|url\(|href", "".join(plot.svg for plot in EVERY.values()))


@pytest.mark.parametrize("draw", [stacked_bars, lines])
def test_an_unknown_value_is_said_to_be_unknown_and_never_drawn_as_0(draw: object) -> None:
    plot = draw("Cost", ["Mon"], {"small": [1.0], "large": [None]}, unit="dollars")  # type: ignore[operator]
    assert not [said for said in told(plot) if "large: $0" in said]
    unknown = stacked_bars("Cost", ["Mon"], {"large": [None]}, unit="dollars")
    assert "?" in written(unknown)
    assert told(unknown) == ["Mon: unknown"]
    assert told(EVERY["stacked_bars"])[3] == "Nov 14: $0.10, and unknown of large"
    row = bars("Cost", {"large": None}, unit="dollars")
    assert (written(row)[1:], heights(row, "")) == (["large", "unknown"], [])
    points = scatter("Good", {"a": (None, 1.0), "b": (0.2, float("nan"))}, x=Axis("cost"), y=Axis("right"))
    assert "Not shown, because a figure is unknown: a, b." in written(points)


def test_bars_are_as_high_as_their_values() -> None:
    plot = stacked_bars("Calls", ["Mon", "Tue"], {"all": [20, 10]})
    first, second = heights(plot, "series1")
    assert first == pytest.approx(2 * second, abs=0.2)
    widths = [
        float(bar.get("width", 0)) for bar in tree(bars("x", {"a": 30.0, "b": 10.0, "c": 0.0})).iter(f"{SVG}rect")
    ]
    assert widths[0] == pytest.approx(3 * widths[1], abs=0.3)
    assert widths[2] == 0


@pytest.mark.parametrize("empty", [{}, {"small": [0, 0, 0]}])
def test_nothing_is_said_in_words(empty: dict[str, list[float]]) -> None:
    plot = stacked_bars("Cost", DAYS, empty, empty="No model was asked.")
    assert written(plot) == ["Cost", "No model was asked."]
    assert lines("Cost", [], {}).svg.count("There is nothing to show yet.") == 2
    assert "There is nothing to show yet." in bars("Cost", {}).svg
    assert "There is nothing to show yet." in scatter("Cost", {}, x=Axis("a"), y=Axis("b")).svg


def test_a_hostile_label_is_text() -> None:
    plots = [
        stacked_bars(HOSTILE, [HOSTILE], {HOSTILE: [1.0], "b": [None]}),
        bars(HOSTILE, {HOSTILE: 1.0}),
        lines(HOSTILE, [HOSTILE], {HOSTILE: [1.0]}),
        scatter(HOSTILE, {HOSTILE: (1.0, 1.0)}, x=Axis(HOSTILE), y=Axis(HOSTILE)),
    ]
    for plot in plots:
        html = plot._repr_html_()
        assert not re.search(r"<(script|img)", html)
        assert {each.tag.removeprefix(SVG) for each in tree(plot).iter()} <= {
            *("svg", "title", "desc", "text", "rect", "line", "g", "circle", "polygon", "polyline")
        }
        assert not re.search("[\x00\u202e]", plot.svg)


def test_many_series_are_folded_into_others_and_none_is_lost() -> None:
    plot = stacked_bars("Cost", ["Mon"], {f"model {n}": [1.0] for n in range(9)})
    assert written(plot)[1:6] == ["model 0", "model 1", "model 2", "model 3", "others (5)"]
    assert "Mon, others (5): 5" in told(plot)
    assert "Mon: 9" in told(plot)
    several = lines("Cost", ["Mon"], {f"model {n}": [1.0] for n in range(9)})
    assert "and 4 more, not shown" in written(several)


def test_a_plot_stays_small_however_much_it_shows() -> None:
    many = stacked_bars("x", [f"day {n}" for n in range(3_650)], {f"model {n}": [0.123] * 3_650 for n in range(30)})
    assert len(many.svg) < 150_000
    groups = list(tree(many).iter(f"{SVG}g"))
    assert len(groups) <= MOST_GROUPS
    assert told(many)[0] == f"day 0 – day 30: {figure(31 * 30 * 0.123)}"
    assert len(bars("x", {f"name {n}": 1.0 for n in range(500)}).svg) < 20_000
    assert len(scatter("x", {f"name {n}": (n, n) for n in range(5_000)}, x=Axis("a"), y=Axis("b")).svg) < 120_000
    assert len(bars("x", {"long " * 1000: 1.0}).svg) < 1_500


def test_series_are_told_apart_by_more_than_their_colour() -> None:
    plot = stacked_bars("x", ["Mon"], {name: [10.0] for name in "abcd"})
    stripes = [mark for mark in tree(plot).iter(f"{SVG}line") if mark.get("stroke-dasharray")]
    assert len(stripes) == 2 * (0 + 1 + 1 + 2)  # in the bar and in the legend
    shapes = [mark.tag for mark in tree(lines("x", ["Mon"], {name: [1.0] for name in "abcd"})) if mark.get("class")]
    corners = [mark.get("points") for mark in tree(lines("x", ["Mon"], {name: [1.0] for name in "abcd"}))]
    assert shapes.count(f"{SVG}circle") == 2
    assert len(set(filter(None, corners))) == 6


def test_the_colours_of_both_themes_stand_out_from_the_page() -> None:
    light, dark = re.findall(r"--tk-series\d: (#\w{6})", sheet("plot"))[:5], None
    dark = re.findall(r"--tk-series\d: (#\w{6})", sheet("plot"))[5:]
    alone = re.findall(r"#\w{6}", "".join(drawn.COLOURS))
    assert len(light) == len(dark) == len(alone) == 5
    for colours, pages in ((light, ["#ffffff"]), (dark, ["#111111"]), (alone, ["#ffffff", "#111111"])):
        assert min(contrast(colour, page) for colour in colours for page in pages) >= 3
        assert len(set(colours)) == 5


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_names_of_points_do_not_cover_each_other() -> None:
    near = {f"a long name, number {n}": (0.5 + n / 1000, 0.5) for n in range(12)}
    plot = scatter("x", near, x=Axis("a", "share"), y=Axis("b", "share"))
    names = [text for text in tree(plot).iter(f"{SVG}text") if (text.text or "").startswith("a long")]
    lines_of_text = [float(text.get("y", 0)) for text in names]
    assert 1 <= len(names) <= 4
    assert len([said for said in told(plot) if said.startswith("a long")]) == 12
    assert all(abs(one - other) > 8 or one == other for one, other in pairwise(sorted(lines_of_text)))


def test_a_logarithmic_axis_keeps_small_costs_apart() -> None:
    costs = {"small": (0.0002, 0.5), "middle": (0.002, 0.6), "large": (0.02, 0.7)}
    plot = scatter("x", costs, x=Axis("cost", "dollars", log=True), y=Axis("right", "share"))
    small, middle, large = (float(mark.get("cx", 0)) for mark in tree(plot).iter(f"{SVG}circle"))
    assert middle - small == pytest.approx(large - middle, abs=0.2)
    assert "Not shown, because a figure is unknown: free." in written(
        scatter("x", {**costs, "free": (0.0, 0.5)}, x=Axis("cost", "dollars", log=True), y=Axis("right", "share"))
    )


def test_figures_are_written_as_people_read_them() -> None:
    assert [figure(value, "dollars") for value in (0, 0.000338, 0.0834, 1284.5, None)] == [
        *("$0", "$0.00034", "$0.08", "$1\u202f284.50", "unknown")
    ]
    assert [figure(value, "milliseconds") for value in (60, 1234)] == ["60 ms", "1.2 s"]
    assert [figure(value, "share") for value in (0, 0.991, 1)] == ["0%", "99.1%", "100%"]
    assert [short(value) for value in (950, 12_345, 3_100_000, 4e9)] == [
        *("950", "12.3\u202fk", "3.1\u202fM", "4\u202fB")
    ]
    assert figure(float("nan")) == figure(float("inf")) == "unknown"
    assert (day("2026-11-03"), day("Mon")) == ("Nov 3", "Mon")


@pytest.mark.parametrize(
    ("least", "most", "whole", "said"),
    [
        (0, 0.93, False, ["0", "$0.25", "$0.50", "$0.75", "$1.00"]),
        (0, 7, False, ["0", "$2", "$4", "$6", "$8"]),
        (0, 0.00042, False, ["0", "$0.0002", "$0.0004", "$0.0006"]),
        (0, 3, True, ["0", "$1", "$2", "$3"]),
        (5, 5, False, ["$4", "$6", "$8", "$10"]),
        (0, 0, False, ["0", "$0.25", "$0.50", "$0.75", "$1.00"]),
    ],
)
def test_an_axis_has_round_figures_around_all_values(least: float, most: float, whole: bool, said: list[str]) -> None:
    found = ticks(least, most, whole=whole)
    assert found[0] <= least <= most <= found[-1]
    assert tick_words(found, "dollars") == said


def test_a_plot_is_saved_as_a_picture_of_its_own_and_its_repr_is_short(tmp_path: Path) -> None:
    plot = EVERY["stacked_bars"]
    plot.save(tmp_path / "cost.svg")
    assert (tmp_path / "cost.svg").read_text(encoding="utf-8") == str(plot) == plot.svg
    assert repr(plot) == "Plot(Cost per day, 3 groups, 2 series)"
    assert plot._repr_html_().startswith("<style>")
