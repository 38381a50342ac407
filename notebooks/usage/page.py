"""The figures of a panel of usage as HTML."""

from html import escape
from typing import Final

from toolkit.display.figures import figure, short
from toolkit.usage.overview import NAMES, UsageReport, name_of
from toolkit.usage.records import UsageRow

MOST_ROWS: Final = 20
"""Rows of the table; of more, the first."""

_LITTLE: Final = 0.005  # a change that is none


def figures(report: UsageReport) -> str:
    """Tiles with what matters most."""
    total = report.total
    cached = "no answers" if total.hit_rate is None else f"{figure(total.hit_rate, 'share')} of the answers"
    well = "no calls" if report.answered is None else f"{figure(report.answered, 'share')} went well"
    tiles = (
        ("Cost", figure(total.cost_usd, "dollars"), _cost(report)),
        ("Calls", figure(total.calls), escape(well)),
        (
            "Tokens",
            short(total.input_tokens + total.output_tokens),
            f"{short(total.input_tokens)} in · {short(total.output_tokens)} out",
        ),
        ("p95 latency", "–" if report.p95_milliseconds is None else _time(report.p95_milliseconds), _slower(report)),
        ("Fallbacks", figure(report.fallbacks), "another model answered" if report.fallbacks else "none was needed"),
        ("From the cache", figure(total.cached), cached),
    )
    return f'<dl class="toolkit-tiles">{"".join(map(_tile, tiles))}</dl>'


def table(report: UsageReport) -> str:
    """A row for each model, user and so on."""
    if not report.rows:
        return ""
    rows = "".join(_row(report, place, row) for place, row in enumerate(report.rows[:MOST_ROWS]))
    share = "Share of the cost" if report.priced else "Share of the calls"
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Calls", "Failed", "Tokens", "Mean time", "Cost"))
    more = len(report.rows) - MOST_ROWS
    note = (
        f'<div class="toolkit-note">and {more} more; <code>to_frame()</code> has all of them</div>' if more > 0 else ""
    )
    return (
        f'<div class="toolkit-sums" role="region" tabindex="0" aria-label="Table by {NAMES[report.by].lower()}">'
        f'<table><thead><tr><th scope="col">{NAMES[report.by]}</th>{heads}'
        f'<th scope="col" class="toolkit-share">{share}</th></tr></thead><tbody>{rows}</tbody></table></div>{note}'
    )


def _tile(told: tuple[str, str, str]) -> str:
    name, value, more = told
    return f"<div><dt>{name}</dt><dd>{escape(value)}</dd><dd>{more}</dd></div>"


def _cost(report: UsageReport) -> str:
    lacking = report.total.unpriced_calls
    if lacking:
        return f"{figure(lacking)} answer{'' if lacking == 1 else 's'} of unknown price"
    then, before = _before(report), report.before
    if not before.calls and not before.cached:
        return f"nothing {then}"
    if before.cost_usd is None or before.unpriced_calls or report.total.cost_usd is None:
        return f"unknown {then}"
    if not before.cost_usd:
        return f"$0 {then}"
    change = report.total.cost_usd / before.cost_usd - 1
    if abs(change) < _LITTLE:
        return f"as {then}"
    return f"{_arrow(change)} {figure(round(abs(change), 2), 'share')} {'on' if change > 0 else 'under'} {then[3:]}"


def _slower(report: UsageReport) -> str:
    now, then = report.p95_milliseconds, report.p95_before
    if now is None or then is None:
        return "95 of 100 were as quick" if now is not None else "no answers"
    if abs(now - then) < then * _LITTLE:
        return f"as {_before(report)}"
    return f"{_arrow(now - then)} {_time(abs(now - then))} {'more' if now > then else 'less'} than before"


def _before(report: UsageReport) -> str:
    days = len(report.days)
    return "in the day before" if days == 1 else f"in the {days} days before"


def _arrow(change: float) -> str:
    """Which way it went: more is worse, of money and of time."""
    kind, sign = ("up", "▲") if change > 0 else ("down", "▼")
    return f'<span class="toolkit-{kind}" aria-hidden="true">{sign}</span>'


def _time(milliseconds: float) -> str:
    return figure(milliseconds, "milliseconds")


def _row(report: UsageReport, place: int, row: UsageRow) -> str:
    unpriced = f'<span class="toolkit-quiet">{row.unpriced_calls} unknown</span>' if row.unpriced_calls else ""
    cost = escape(figure(row.cost_usd, "dollars"))
    into, out = figure(row.input_tokens), figure(row.output_tokens)
    tokens = f'<span title="{into} in, {out} out">{short(row.input_tokens + row.output_tokens)}</span>'
    cells = (
        figure(row.calls),
        figure(row.failures),
        tokens,
        _time(row.milliseconds_mean) if row.calls else "–",
        f"{cost}{unpriced if row.cost_usd is not None else ''}",
    )
    share = report.share(row)
    drawn = "" if share is None else _share(share, place + 1 if row.key in report.shown else 5)
    name = f'<th scope="row">{escape(name_of(row.key))}</th>'
    return f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}<td class='toolkit-share'>{drawn}</td></tr>"


def _share(share: float, series: int) -> str:
    return f'<i class="toolkit-series{series}" style="--share: {share:.1%}"></i><span>{share:.0%}</span>'
