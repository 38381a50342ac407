"""`toolkit config HOST`: what an agent host must be told to start `toolkit-mcp`."""

import json
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from toolkit.cli import terminal
from toolkit.cli.run import chosen_settings, database, example, given_database
from toolkit.cli.variables import vendors_variables
from toolkit.errors import ConfigError
from toolkit.redaction import redact


@dataclass(frozen=True, slots=True)
class Server:
    """How the server is started.

    Attributes:
        command: an absolute path; hosts have a `PATH` of their own.
        args: its arguments.
        keys: names of the variables set here that models need; hosts seldom pass them on by themselves.
    """

    command: str
    args: list[str]
    keys: list[str]


@dataclass(frozen=True, slots=True)
class Host:
    """An agent host.

    Attributes:
        write: the server as this host wants to read it.
        file: where that belongs.
        passes_keys: whether what `write` gives refers to the variables in `Server.keys`.
    """

    write: Callable[[Server], str]
    file: str
    passes_keys: bool = False


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _start(server: Server) -> dict[str, Any]:
    return {"command": server.command, "args": server.args}


def _references(server: Server) -> dict[str, Any]:
    return {"env": {key: f"${{env:{key}}}" for key in server.keys}} if server.keys else {}


def _claude(server: Server) -> str:
    return _json({"mcpServers": {"toolkit": _start(server)}})


def _claude_code(server: Server) -> str:
    # `:-` makes an unset variable empty; without it the host would pass on the reference itself as the key.
    env = {"env": {key: f"${{{key}:-}}" for key in server.keys}} if server.keys else {}
    return _json({"mcpServers": {"toolkit": {"type": "stdio", **_start(server), **env}}})


def _cursor(server: Server) -> str:
    return _json({"mcpServers": {"toolkit": {**_start(server), **_references(server)}}})


def _vscode(server: Server) -> str:
    return _json({"servers": {"toolkit": {"type": "stdio", **_start(server), **_references(server)}}})


def _codex(server: Server) -> str:
    # TOML's basic strings and arrays of them are written as in JSON.
    lines = ["[mcp_servers.toolkit]", f"command = {json.dumps(server.command)}", f"args = {json.dumps(server.args)}"]
    if server.keys:
        lines.append(f"env_vars = {json.dumps(server.keys)}")
    return "\n".join(lines)


def _goose(server: Server) -> str:
    # YAML reads JSON's strings and lists.
    return "\n".join(
        [
            "extensions:",
            "  toolkit:",
            "    name: toolkit",
            "    type: stdio",
            "    enabled: true",
            "    timeout: 300",
            f"    cmd: {json.dumps(server.command)}",
            f"    args: {json.dumps(server.args)}",
            "    envs: {}",
        ]
    )


def _zed(server: Server) -> str:
    return _json({"context_servers": {"toolkit": {"source": "custom", "enabled": True, **_start(server), "env": {}}}})


HOSTS: Mapping[str, Host] = {
    "claude-desktop": Host(_claude, "claude_desktop_config.json (Settings › Developer › Edit Config)"),
    "claude-code": Host(_claude_code, ".mcp.json in the project's folder", passes_keys=True),
    "cursor": Host(_cursor, "~/.cursor/mcp.json", passes_keys=True),
    "vscode": Host(_vscode, ".vscode/mcp.json", passes_keys=True),
    "codex": Host(_codex, "~/.codex/config.toml", passes_keys=True),
    "goose": Host(_goose, "~/.config/goose/config.yaml"),
    "zed": Host(_zed, "Zed's settings.json"),
}


@click.command(epilog=example("toolkit config claude-desktop", "toolkit config codex --db sqlite:///notes.db"))
@click.argument("host", metavar="HOST")
@database
def config(host: str) -> None:
    """Print what an agent host needs to start the server.

    HOST is claude-desktop, claude-code, cursor, vscode, codex, goose or zed.
    """
    known = _host(host)
    settings = chosen_settings()
    keys = [name for name in vendors_variables() if settings.environ.get(name)]
    where = given_database() or settings.environ.get("TOOLKIT_DATABASE_URL") or settings.environ.get("DATABASE_URL")
    args = ["--db", _absolute(where)] if where and not _hides_a_password(where) else []
    click.echo(known.write(Server(*_command(args), keys)))
    terminal.note(f"\nThis belongs into {known.file}.")
    if where and not args:
        terminal.note(f"The database {redact(where)} has a password, so it is left out; --db writes it there.")
    if keys and not known.passes_keys:
        terminal.note(f"{host} does not pass on your shell's variables; it also needs {', '.join(keys)} as env.")


def _host(name: str) -> Host:
    if name in HOSTS:
        return HOSTS[name]
    near = get_close_matches(name.lower(), HOSTS, n=1)
    hint = f"the nearest is {near[0]!r}" if near else "any host can take the form of claude-desktop"
    raise ConfigError(f"There is no host {name!r}; known are {', '.join(HOSTS)}; {hint}.")


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
    return _claude(Server(*_command([]), []))
