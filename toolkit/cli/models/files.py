"""`toolkit models export` and `import`: the table of models as a TOML file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli import terminal
from toolkit.cli.models.words import difference, person
from toolkit.cli.run import database, example, json_output, with_toolkit
from toolkit.errors import ConfigError

if TYPE_CHECKING:
    from toolkit.models.catalog import Plan


@click.command(epilog=example("toolkit models export models.toml", "toolkit models export --scope my-app"))
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--provider", help="Only this vendor's.")
@click.option("--scope", help="Only this scope's.")
@database
def export(file: Path | None, provider: str | None, scope: str | None) -> None:
    """Write the models to FILE, or to standard output, as TOML. No key is in it."""
    text = with_toolkit(lambda tk: tk.models.export_toml(provider=provider, scope=scope))
    if file is None:
        click.echo(text, nl=False)
        return
    file.write_text(text, encoding="utf-8", newline="\n")
    terminal.note(f"{terminal.count(text.count('[[models]]'), 'model')} in {file}.")


@click.command(
    "import", epilog=example("toolkit models import models.toml --dry-run", "toolkit models import models.toml")
)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--replace", is_flag=True, help="Remove the models of which the file says nothing.")
@json_output
@database
def import_(file: Path, dry_run: bool, replace: bool, as_json: bool) -> None:
    """Make the models what a file says: all of it, or nothing.

    FILE `-` is standard input.
    """
    text = _read(file)
    plan = with_toolkit(lambda tk: tk.models.import_toml(text, replace=replace, dry_run=dry_run, by=person()))
    if as_json:
        terminal.data({"dry_run": dry_run, **_as_json(plan)})
        return
    rows = [
        *(["add", model.name, difference(None, model.to_json())] for model in plan.added),
        *(["change", before.name, difference(before.to_json(), after.to_json())] for before, after in plan.changed),
        *(["remove", model.name, ""] for model in plan.removed),
    ]
    if rows:
        terminal.table(["", "Name", "What"], rows)
    done = ", ".join(f"{len(getattr(plan, word))} {word}" for word in ("added", "changed", "removed"))
    terminal.note(f"{'Nothing is written yet: ' if dry_run else ''}{done}, {len(plan.unchanged)} left as they are.")


def _read(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"The file {file} is not UTF-8 text, as TOML must be.") from None


def _as_json(plan: "Plan") -> dict[str, Any]:
    return {
        "added": [model.to_json() for model in plan.added],
        "changed": [{"before": before.to_json(), "after": after.to_json()} for before, after in plan.changed],
        "removed": [model.to_json() for model in plan.removed],
        "unchanged": [model.name for model in plan.unchanged],
    }
