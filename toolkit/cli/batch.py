"""`toolkit batch`: many questions from a file, each with its answer or its error."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from toolkit.cli import terminal
from toolkit.cli.run import ORIGIN, database, example, with_toolkit
from toolkit.errors import ConfigError
from toolkit.messages import Json, Reply, cost_of

if TYPE_CHECKING:
    from toolkit.jobs.outcomes import Outcome
    from toolkit.messages import Attempt
    from toolkit.toolkit import Toolkit


@dataclass(slots=True)
class _Tally:
    """What came of the batch so far."""

    answered: int = 0
    failed: int = 0
    cost_usd: float | None = 0.0


@click.command(
    epilog=example("toolkit batch questions.jsonl --out answers.jsonl", "toolkit batch questions.jsonl --job night")
)
@click.argument("file", metavar="FILE.jsonl", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write; else standard output."
)
@click.option("--job", metavar="NAME", help="Keep it under this name: the same command goes on where it was stopped.")
@click.option("--concurrency", default=8, show_default=True, type=click.IntRange(1, 1000), help="Questions at once.")
@click.option("-m", "--model", help="A name in the table or provider/model, where a line names none; else the chain.")
@click.option("--user", help="On whose behalf, for the ledger.")
@click.option("--vendor-batch", is_flag=True, help="By the vendor's own batch API: half the price, within a day.")
@database
def batch(file: str, out: Path | None, job: str | None, concurrency: int, **asked: Any) -> None:
    """Ask every line of a file.

    A line is a text in quotes, or an object with a "prompt" and other keywords of the Python API. Each line of the
    output holds its position, from 0, and the text of the answer or the error.
    """
    common = {name: value for name, value in asked.items() if value}
    given = {"job": job, "concurrency": concurrency, "origin": ORIGIN, **common}
    with ExitStack() as files:
        lines = files.enter_context(click.open_file(file, encoding="utf-8-sig"))
        # A wrong line of a file is found before anything is asked; standard input may go on for ever.
        requests = requests_of(lines) if file == "-" else list(requests_of(lines))
        written = files.enter_context(out.open("w", encoding="utf-8")) if out else sys.stdout
        try:
            tally = with_toolkit(lambda tk: _run(tk, requests, written, given))
        except KeyboardInterrupt:
            if job:
                terminal.note("Stopped. What was answered is kept; the same command goes on from there.")
            raise
    terminal.note(
        f"{terminal.count(tally.answered, 'answer')}, {terminal.count(tally.failed, 'error')}, "
        f"cost {terminal.dollars(tally.cost_usd)}."
    )
    if tally.failed:
        if job:
            terminal.note(f"`toolkit jobs resume {job} --failed` asks the failed ones again.")
        raise click.exceptions.Exit(1)


async def _run(tk: "Toolkit", requests: Iterable[Any], out: IO[str], asked: Json) -> _Tally:
    tally = _Tally()
    with terminal.progress("Asking") as advance:
        outcomes = tk.batch(requests, progress=lambda done, total: advance(done, total, "questions"), **asked)
        async with aclosing(outcomes):
            position = 0
            async for outcome in outcomes:
                out.write(json.dumps(line_of(position, outcome), ensure_ascii=False) + "\n")
                out.flush()
                _add(tally, outcome)
                position += 1
    return tally


def requests_of(lines: IO[str]) -> Iterator[Any]:
    """The requests of a file, one by one; empty lines are left out.

    Raises:
        ConfigError: a line is not JSON, or holds neither a text nor an object with a prompt.
    """
    for number, line in enumerate(_decoded(lines), 1):
        if not line.strip():
            continue
        try:
            request = json.loads(line)
        except ValueError as error:
            raise ConfigError(
                f'Line {number} is not JSON ({error}); write {{"prompt": "…"}} or a text in quotes.'
            ) from None
        if not (isinstance(request, str) or (isinstance(request, dict) and "prompt" in request)):
            raise ConfigError(f'Line {number} holds no request; write {{"prompt": "…"}} or a text in quotes.')
        yield request


def _decoded(lines: IO[str]) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeDecodeError:
        raise ConfigError('It is not UTF-8 text; a line is {"prompt": "…"} or a text in quotes.') from None


def line_of(position: int, outcome: "Outcome") -> Json:
    """What is written of an outcome."""
    if isinstance(outcome, Reply):
        said = {"text": outcome.text, "model": outcome.model, "finish_reason": outcome.finish_reason}
        usage = {"input_tokens": outcome.usage.input_tokens, "output_tokens": outcome.usage.output_tokens}
        told = {"usage": usage, "cost_usd": outcome.cost_usd, "call_id": outcome.call_id}
        return {"position": position, **said, **told}
    return {"position": position, "error": type(outcome).__name__, "message": str(outcome)}


def _add(tally: _Tally, outcome: "Outcome") -> None:
    attempts: tuple[Attempt, ...] = getattr(outcome, "attempts", ())
    cost = cost_of(attempts)
    tally.cost_usd = None if cost is None or tally.cost_usd is None else tally.cost_usd + cost
    if isinstance(outcome, Reply):
        tally.answered += 1
    else:
        tally.failed += 1
