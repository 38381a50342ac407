"""The figures of a panel in words: what changed, and what nobody knows."""

import re
from dataclasses import replace
from typing import Any

import pytest

from notebooks.usage.page import MOST_ROWS, figures, table
from toolkit.usage.overview import UsageDay, UsageReport
from toolkit.usage.records import UsageRow

ROW = UsageRow("small", 4, 1, 1200, 300, 2.0, 0, 800.0, answers=3)
NONE = UsageRow("", 0, 0, 0, 0, 0.0, 0, 0.0)
REPORT = UsageReport(
    by="model",
    days=tuple(UsageDay(f"2026-11-{day}", None, {}, None) for day in range(13, 20)),
    rows=(ROW,),
    shown=("small",),
    total=ROW,
    before=ROW,
    p95_milliseconds=3000.0,
    p95_before=2600.0,
    fallbacks=1,
)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ({"cost_usd": 1.6}, "▲ 25% on the 7 days before"),
        ({"cost_usd": 4.0}, "▼ 50% under the 7 days before"),
        ({"cost_usd": 2.0}, "as in the 7 days before"),
        ({"cost_usd": None, "unpriced_calls": 4}, "unknown in the 7 days before"),
        ({"unpriced_calls": 1}, "unknown in the 7 days before"),
        ({"cost_usd": 0.0}, "$0 in the 7 days before"),
        ({"calls": 0, "cost_usd": 0.0}, "nothing in the 7 days before"),
    ],
)
def test_the_cost_is_compared_with_the_days_before_where_both_are_known(before: dict[str, Any], said: str) -> None:
    assert f"Cost $2.00 {said}" in words(figures(replace(REPORT, before=replace(ROW, **before))))


def test_an_unknown_price_is_said_and_never_shown_as_0() -> None:
    total = replace(ROW, cost_usd=None, unpriced_calls=3)
    report = replace(REPORT, total=total, rows=(total, replace(ROW, key="large", unpriced_calls=1)))
    assert "Cost unknown 3 answers of unknown price" in words(figures(report))
    assert "small 4 1 1 500 0.8 s unknown large 4 1 1 500 0.8 s $2.00 1 unknown" in words(table(report)).replace(
        "\u202f", " "
    )
    assert table(report).count("--share") == 1


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (3000.0, 2600.0, "3.0 s ▲ 0.4 s more than before"),
        (2600.0, 3000.0, "2.6 s ▼ 0.4 s less than before"),
        (3000.0, 3000.0, "3.0 s as in the 7 days before"),
        (3000.0, None, "3.0 s 95 of 100 were as quick"),
        (None, 3000.0, "– no answers"),
    ],
)
def test_the_time_is_compared_with_the_days_before(now: float | None, before: float | None, said: str) -> None:
    assert f"p95 latency {said}" in words(figures(replace(REPORT, p95_milliseconds=now, p95_before=before)))


def test_a_share_has_the_colour_of_the_plot_and_its_figure_beside_it() -> None:
    rows = tuple(replace(ROW, key=key, cost_usd=cost) for key, cost in (("a", 6.0), ("b", 3.0), ("c", 1.0)))
    html = table(replace(REPORT, rows=rows, shown=("a", "b"), total=replace(ROW, cost_usd=10.0)))
    assert re.findall(r'toolkit-series(\d)" style="--share: ([\d.]+%)"></i><span>(\d+%)', html) == [
        *(("1", "60.0%", "60%"), ("2", "30.0%", "30%"), ("5", "10.0%", "10%"))
    ]


def test_of_many_rows_it_is_said_how_many_more_there_are() -> None:
    rows = tuple(replace(ROW, key=f"user {number}") for number in range(MOST_ROWS + 3))
    html = table(replace(REPORT, by="user", rows=rows))
    assert html.count("<tr>") == MOST_ROWS + 1
    assert "and 3 more" in html


def test_who_is_not_named_is_called_so() -> None:
    assert "not said" in table(replace(REPORT, by="user", rows=(replace(ROW, key=""),)))
    assert table(replace(REPORT, rows=())) == ""
