"""`toolkit evaluate`: how good the search is on judged queries."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.cli import terminal
from toolkit.cli.run import database, example, json_output, with_toolkit
from toolkit.errors import ConfigError

if TYPE_CHECKING:
    from toolkit.search.evaluation.report import Difference, Figure, Report
    from toolkit.search.ranking.mode import Mode

_MODES = "lexical,semantic,hybrid"
_PICTURES = (".svg", ".png")


@click.command(
    epilog=example(
        "toolkit evaluate judgements/",
        "toolkit evaluate questions.tsv --collection handbook --mode lexical,hybrid --plot quality.svg",
    )
)
@click.argument("judgements", metavar="JUDGEMENTS")
@click.option("-c", "--collection", help="Search this collection as it is, rather than the judgements' own corpus.")
@click.option("--keep", metavar="NAME", help="Read the corpus into this collection and leave it there.")
@click.option("-m", "--mode", "modes", default=_MODES, show_default=True, help="How to search; compared pair by pair.")
@click.option("-k", "--top-k", default=10, show_default=True, type=click.IntRange(1, 1000), help="Ranks that count.")
@click.option(
    "--depth", default=100, show_default=True, type=click.IntRange(1, 1000), help="Ranks that count for recall."
)
@click.option("--plot", metavar="FILE", help="Draw the figures: FILE.svg or FILE.png.")
@json_output
@database
def evaluate(
    *,
    judgements: str,
    collection: str | None,
    keep: str | None,
    modes: str,
    top_k: int,
    depth: int,
    plot: str | None,
    as_json: bool,
) -> None:
    """Measure search quality on judged queries, in the files of BEIR."""
    picture = _picture(plot)
    chosen = _chosen(modes)
    from toolkit.search.evaluation.running import evaluate as measured  # noqa: PLC0415 - `toolkit --help` needs no numpy

    with terminal.progress("Evaluating") as advance:
        report = with_toolkit(
            lambda tk: measured(
                tk,
                judgements,
                modes=chosen,
                collection=collection,
                keep=keep,
                top_k=top_k,
                depth=depth,
                told=lambda doing, done, total: advance(done, total, doing),
            )
        )
    if picture:
        _draw(report, picture)
    if as_json:
        terminal.data(report)
    else:
        _tell(report)


def _picture(plot: str | None) -> Path | None:
    """Where to draw; whether that is possible is known before anything is measured."""
    if plot is None:
        return None
    path = Path(plot)
    if path.suffix.lower() not in _PICTURES:
        raise ConfigError(f"{plot} cannot be drawn; call the file NAME.svg or NAME.png.")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"There is no folder {path.parent}; make it first, or draw elsewhere.")
    return path


def _chosen(modes: str) -> "Sequence[Mode]":
    known: dict[str, Mode] = {"lexical": "lexical", "semantic": "semantic", "hybrid": "hybrid"}
    words = [word.strip() for word in modes.split(",") if word.strip()]
    unknown = next((word for word in words if word not in known), None)
    if unknown or not words:
        raise ConfigError(f"There is no mode {unknown or modes!r}; give one or several of {_MODES}.")
    return [known[word] for word in dict.fromkeys(words)]


def _draw(report: "Report", path: Path) -> None:
    from toolkit.search.evaluation.plot import plot  # noqa: PLC0415 - only who wants a picture needs it

    picture = plot(report)
    if path.suffix.lower() == ".png":
        path.write_bytes(picture.png())
    else:
        path.write_text(picture.svg(), encoding="utf-8")
    terminal.note(f"Drawn: {path}")


def _tell(report: "Report") -> None:
    names = list(dict.fromkeys(figure.collection for figure in report.figures))
    shown = [summary.name for summary in report.collections]
    queries = {summary.name: f"{summary.queries:,}" for summary in report.collections}
    rows = []
    for name in names:
        first = f"{name} ({queries[name]})" if name in shown else f"mean of {len(shown)}"
        for number, measure in enumerate(report.measures):
            cells = [_figure(report.figure(name, each, measure)) for each in report.configurations]
            rows.append(["" if number else first, measure, *cells])
        speeds = [next((s.p50_ms for s in report.speeds if (s.collection, s.configuration) == (name, each)), None)
                  for each in report.configurations]  # fmt: skip
        if any(speeds):
            rows.append(["", "median ms", *("" if speed is None else f"{speed:,.1f}" for speed in speeds)])
    terminal.table(["Collection (queries)", "Measure", *report.configurations], rows)
    if report.differences:
        _tell_differences(report, names)
    for summary in report.collections:
        for note in summary.notes:
            terminal.note(f"{summary.name}: {note}.")


def _tell_differences(report: "Report", names: Sequence[str]) -> None:
    measure = report.measures[0]
    wanted = [d for d in report.differences if d.measure == measure]
    pairs = list(dict.fromkeys((d.configuration, d.against) for d in wanted))
    found = {(d.collection, d.configuration, d.against): d for d in wanted}
    terminal.say()
    terminal.table(
        [f"Difference in {measure}", *(f"{one} - {other}" for one, other in pairs)],
        [[name, *(_difference(found[name, *pair]) for pair in pairs)] for name in names],
    )
    terminal.note(
        f"[low, high]: {report.confidence * 100:.0f} % intervals, by drawing the queries {report.resamples:,} times. "
        "* The interval leaves out 0: other queries of this kind would show the same sign."
    )


def _figure(figure: "Figure") -> str:
    return f"{figure.mean:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _difference(difference: "Difference") -> str:
    sure = " *" if difference.is_sure else ""
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]{sure}"
