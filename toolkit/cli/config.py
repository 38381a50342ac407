"""`toolkit config HOST`: what an agent host must be told to start `toolkit-mcp`, printed or written into its file."""

import sys
import sysconfig
from difflib import get_close_matches
from pathlib import Path

import click

from toolkit.cli import terminal
from toolkit.cli.hosts.known import HOSTS, Host, Scope, Server
from toolkit.cli.hosts.places import Machine
from toolkit.cli.hosts.writing import rewrite
from toolkit.cli.run import chosen_settings, database, example, given_database
from toolkit.cli.variables import vendors_variables
from toolkit.errors import ConfigError
from toolkit.redaction import redact
from toolkit.settings import Settings


@click.command(epilog=example("toolkit config claude-desktop --write", "toolkit config codex --db sqlite:///notes.db"))
@click.argument("host", metavar="HOST")
@click.option(
    "--write", is_flag=True, help="Put it into the host's own file, after a copy of that; other servers stay."
)
@click.option(
    "--scope", type=click.Choice(["user", "project"]), help="For everything that you do, or for the project here."
)
@click.option("--path", "place", type=click.Path(path_type=Path, dir_okay=False), help="Another file than the usual.")
@click.option("--tools", metavar="PRESET|NAME,NAME", help="Which tools the server offers.")
@click.option("--read-only", is_flag=True, help="The server offers only tools that change nothing.")
@database
def config(
    host: str, *, write: bool, scope: Scope | None, place: Path | None, tools: str | None, read_only: bool
) -> None:
    """Print what an agent host needs to start the server, or write it.

    HOST is claude-desktop, claude-code, cursor, vscode, codex, goose or zed.
    """
    known = _host(host)
    settings = chosen_settings()
    where = _database(settings)
    args = ["--db", _absolute(where)] if where and not _hides_a_password(where) else []
    args += ["--tools", tools] if tools else []
    args += ["--read-only"] if read_only else []
    keys = [name for name in vendors_variables() if settings.environ.get(name)]
    server = Server(*_command(args), keys)
    if write:
        _write(known, server, place or known.file(scope, Machine()))
    else:
        click.echo(known.snippet(server))
        terminal.note(f"\nThis belongs into {place or _file(known, scope)}; --write puts it there.")
    if where and "--db" not in args:
        terminal.note(f"The database {redact(where)} has a password, so it is left out; --db writes it there.")
    if keys and not known.passes_keys:
        terminal.note(f"{host} does not pass on your shell's variables; it also needs {', '.join(keys)} as env.")


def _write(host: Host, server: Server, path: Path) -> None:
    changed = False

    def edit(text: str) -> str:
        nonlocal changed
        edited = host.merged(text, server)
        changed = edited != text
        return edited

    copy = rewrite(path, edit)
    click.echo(f"{path} {'names the server now' if changed else 'named the server already'}.")
    if copy:
        terminal.note(f"What was there before is in {copy}.")
    if changed:
        terminal.note("Start the host anew, so that it reads it.")


def _file(host: Host, scope: Scope | None) -> str:
    if scope is not None:
        return str(host.file(scope, Machine()))
    try:
        return str(host.file(None, Machine()))
    except ConfigError:  # without a home folder there is still something to paste
        return "the host's own file"


def _host(name: str) -> Host:
    if name in HOSTS:
        return HOSTS[name]
    near = get_close_matches(name.lower(), HOSTS, n=1)
    hint = f"the nearest is {near[0]!r}" if near else "any host can take the form of claude-desktop"
    raise ConfigError(f"There is no host {name!r}; known are {', '.join(HOSTS)}; {hint}.")


def _database(settings: Settings) -> str | None:
    environ = settings.environ
    return given_database() or environ.get("TOOLKIT_DATABASE_URL") or environ.get("DATABASE_URL")


def _hides_a_password(url: str) -> bool:
    """Whether the URL came from a variable and has a password, which belongs into no file unasked."""
    return not given_database() and redact(url) != url


def _absolute(url: str) -> str:
    """A SQLite URL with the file's whole path: the host starts the server somewhere else."""
    path = url.removeprefix("sqlite:///")
    if path in (url, "", ":memory:"):
        return url
    return f"sqlite:///{Path(path).expanduser().absolute()}"


def _command(args: list[str]) -> tuple[str, list[str]]:
    """The executable beside this Python, or this Python with the module where it was not installed."""
    name = "toolkit-mcp.exe" if sys.platform == "win32" else "toolkit-mcp"
    path = Path(sysconfig.get_path("scripts")) / name
    return (str(path), args) if path.exists() else (sys.executable, ["-m", "mcp_server", *args])


def host_json() -> str:
    """What most hosts want to read, for a server without arguments."""
    return HOSTS["claude-desktop"].snippet(Server(*_command([]), []))
