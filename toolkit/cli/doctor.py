"""`toolkit doctor`: what is configured, what works, and what to do about the rest, in plain words."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit import __version__
from toolkit.cli import terminal
from toolkit.cli.findings import Finding, configured, model
from toolkit.cli.models.words import known
from toolkit.cli.run import database, example, json_output, open_toolkit
from toolkit.cli.variables import SETTINGS, key_of, lacks, vendors_variables
from toolkit.errors import ConfigError, ToolkitError
from toolkit.settings import read_environ

if TYPE_CHECKING:
    from toolkit.models.model import Model
    from toolkit.toolkit import Toolkit
    from toolkit.usage.records import Call

_STYLES: Mapping[str, str] = {"ok": "green", "note": "yellow", "broken": "bold red"}
_WAL_RESET_FIXED = (3, 51, 3)
_RECENT = 200  # attempts that are looked at
_EXTRAS: Mapping[str, tuple[str, ...]] = {
    "postgres": ("asyncpg",),
    "redis": ("redis",),
    "notebook": ("ipywidgets", "ipykernel", "markdown_it", "nh3"),
    "bedrock": ("boto3",),
    "vertex": ("google.auth",),
    "otel": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
}


@click.command(epilog=example("toolkit doctor", "toolkit doctor --db postgresql://localhost/app"))
@json_output
@database
def doctor(as_json: bool) -> None:
    """Say what is configured and what works. The exit code is 1 if something is broken."""
    findings = asyncio.run(_examine())
    if as_json:
        terminal.data(findings)
    else:
        terminal.marked([(finding.state, finding.about, finding.text) for finding in findings], _STYLES)
    if any(finding.state == "broken" for finding in findings):
        raise click.exceptions.Exit(1)


async def _examine() -> list[Finding]:
    findings = [Finding("ok", "version", f"toolkit-mcp {__version__}"), *_extras()]
    try:
        findings += _variables(read_environ())
        tk = open_toolkit()
    except ConfigError as error:
        return [*findings, Finding("broken", "settings", str(error))]
    try:
        return [*findings, *[finding async for finding in _look_inside(tk)]]
    finally:
        await tk.close()


def _variables(environ: Mapping[str, str]) -> list[Finding]:
    found = [name for name in (*SETTINGS, "DATABASE_URL", *vendors_variables()) if environ.get(name)]
    findings = [Finding("ok", "variables", f"set: {', '.join(found) or 'none'}")]
    if Path(".env").is_file():
        findings.append(Finding("note", "variables", "the file .env of this folder is read, too"))
    unread = sorted(name for name in environ if name.startswith("TOOLKIT_") and name not in SETTINGS)
    if unread:
        findings.append(Finding("note", "variables", f"nothing reads {', '.join(unread)}; is the name right?"))
    return findings


def _extras() -> list[Finding]:
    findings = []
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if not _is_there(module)]
        text = (
            f"{extra}: not installed; pip install 'toolkit-mcp[{extra}]' adds it" if missing else f"{extra}: installed"
        )
        findings.append(Finding("note" if missing else "ok", "extras", text))
    return findings


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it is in
        return False


async def _look_inside(tk: "Toolkit") -> AsyncIterator[Finding]:
    try:
        await tk.start()
        applied = await tk.db.migrations()
        version = await _version(tk)
    except ToolkitError as error:
        yield Finding("broken", "database", str(error))
        return
    yield Finding("ok", "database", f"{tk.db.url} is open, {terminal.count(len(applied), 'migration')} applied")
    yield _engine(tk, version)
    for finding in await _models(tk):
        yield finding
    async for finding in configured(tk):
        yield finding


async def _version(tk: "Toolkit") -> str:
    from toolkit.db import Sql  # noqa: PLC0415 - not needed for `toolkit --help`

    # The one question to the database that no room asks: it is about the database itself.
    row = await tk.db.fetch_one(
        Sql("SELECT sqlite_version() AS version", postgres="SELECT current_setting('server_version') AS version")
    )
    return str(row["version"]) if row else "unknown"


def _engine(tk: "Toolkit", version: str) -> Finding:
    if tk.db.dialect != "sqlite":
        return Finding("ok", "database", f"Postgres {version}")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version))
    if numbers >= _WAL_RESET_FIXED:
        return Finding("ok", "database", f"SQLite {version}")
    return Finding(
        "note",
        "database",
        f"SQLite {version} can, rarely, damage a file that two programs write at the same instant (fixed in 3.51.3); "
        "pip install 'pysqlite3>=0.6.1' brings a newer one",
    )


async def _models(tk: "Toolkit") -> list[Finding]:
    from toolkit.providers import last_resort  # noqa: PLC0415 - not needed for `toolkit --help`

    environ = tk.settings.environ
    enabled = await tk.models.list(enabled=True)
    if not enabled:
        return [
            Finding("broken", "models", "none is enabled; `toolkit models enable offline` enables the embedded one")
        ]
    failed = await _last_failures(tk)
    findings = [
        Finding(
            "note" if lacks(row, environ) or row.name in failed else "ok",
            "models",
            _told(number, row, environ, failed.get(row.name)),
        )
        for number, row in enumerate(enabled, 1)
    ]
    if all(last_resort(row.provider) for row in enabled):
        text = "only the embedded one answers, from documents; set OPENAI_API_KEY or ANTHROPIC_API_KEY for another"
        findings.append(Finding("note", "models", text))
    if default := await model(tk, "TOOLKIT_DEFAULT_MODEL", tk.settings.default_model):
        findings.append(default)
    return findings


async def _last_failures(tk: "Toolkit") -> dict[str, str]:
    """Of the models that were asked of late, by any process, those that did not answer the last time: when, and why."""
    last: dict[str, Call] = {}
    for call in await tk.usage.calls(limit=_RECENT):
        if call.status != "cancelled":
            last.setdefault(call.attempt.name, call)
    return {
        name: f"did not answer at {terminal.moment(call.started_at)}: {call.attempt.message or call.attempt.error}"
        for name, call in last.items()
        if call.status == "error"
    }


def _told(number: int, row: "Model", environ: Mapping[str, str], failed: str | None) -> str:
    """A row in one line: who it is, and then what is known of it, one thing after another."""
    from toolkit.models.facts import facts_of  # noqa: PLC0415 - not needed for `toolkit --help`
    from toolkit.providers import last_resort  # noqa: PLC0415 - the same

    scope = "" if row.scope == "global" else f", scope {row.scope}"
    said = [f"key: {key_of(row, environ)}"]
    if not last_resort(row.provider):
        said.append(known(facts_of(row)))
    if failed:
        said.append(failed.rstrip("."))
    return f"{number}. {row.name} ({row.provider}/{row.model}{scope}), {'; '.join(said)}"
