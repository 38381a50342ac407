"""The hosts that are known by name, and what each wants to read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias

from toolkit.cli.hosts import jsonc, places, toml, yaml
from toolkit.cli.hosts.places import Machine
from toolkit.errors import ConfigError

Scope: TypeAlias = Literal["user", "project"]
Entry: TypeAlias = dict[str, Any]

NAME = "toolkit"
"""What the server is called in every host."""

_REMOTE = ("url", "uri", "headers", "http_headers", "bearer_token_env_var")  # of a server that is not started


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

    @property
    def start(self) -> Entry:
        """The two as most hosts call them."""
        return {"command": self.command, "args": self.args}

    def references(self, form: str) -> Entry:
        """`env` with a reference to each key, `NAME` in `form` standing for its name; nothing without keys."""
        return {"env": {key: form.replace("NAME", key) for key in self.keys}} if self.keys else {}


@dataclass(frozen=True, slots=True)
class Host:
    """An agent host.

    Attributes:
        entry: the server as this host wants to read it.
        block: the key under which it keeps its servers.
        user: its file for everything that the user does; None if it has none.
        project: its file in a project's folder; None if it has none.
        usual: which of the two is meant where nobody says.
        language: reads and edits its file.
        passes_keys: whether `entry` refers to the variables in `Server.keys`.
    """

    entry: Callable[[Server], Entry]
    block: str
    user: Callable[[Machine], Path]
    project: str | None = None
    usual: Scope = "user"
    language: ModuleType = jsonc
    passes_keys: bool = False

    def file(self, scope: Scope | None, machine: Machine) -> Path:
        """Where the entry belongs.

        Raises:
            ConfigError: the host knows no such scope, or the home folder is not known.
        """
        if (scope or self.usual) == "user":
            return self.user(machine)
        if self.project is None:
            raise ConfigError("This host keeps its servers for all projects together; leave --scope out.")
        return Path.cwd() / self.project

    def snippet(self, server: Server) -> str:
        """The smallest file that names the server."""
        text: str = self.language.put("", (self.block, NAME), self.entry(server))
        return text.rstrip("\n")

    def merged(self, text: str, server: Server) -> str:
        """`text` with the server in it; the same text where it says so already.

        What the user has added to the entry stays, their values of variables before ours.

        Raises:
            ValueError: the text cannot be read, or not be edited so that everything else stays; the message says why.
        """
        said = self.language.load(text)
        data: dict[str, Any] = {} if said is None else said
        if not isinstance(data, dict) or not isinstance(data.get(self.block) or {}, dict):
            raise ValueError(f"a file with servers under {self.block!r} is expected")  # noqa: TRY004 - as of text that cannot be read
        before = (data.get(self.block) or {}).get(NAME)
        entry = _joined(before if isinstance(before, dict) else {}, self.entry(server))
        if before == entry:
            return text
        wanted = {**data, self.block: {**(data.get(self.block) or {}), NAME: entry}}
        edited: str = self.language.put(text, (self.block, NAME), entry)
        try:
            is_right = self.language.load(edited) == wanted
        except ValueError:
            is_right = False
        if not is_right:
            raise ValueError("it is written in a way that cannot be edited without touching the rest")
        return edited


def _joined(before: Entry, ours: Entry) -> Entry:
    kept = {key: value for key, value in before.items() if key not in _REMOTE}
    joined = {**kept, **ours}
    for key in ("env", "envs"):
        if isinstance(before.get(key), dict):
            joined[key] = {**ours.get(key, {}), **before[key]}
    return joined


def _claude(server: Server) -> Entry:
    return server.start


def _claude_code(server: Server) -> Entry:
    # `:-` makes an unset variable empty; without it the host would pass on the reference itself as the key.
    return {"type": "stdio", **server.start, **server.references("${NAME:-}")}


def _cursor(server: Server) -> Entry:
    return {"type": "stdio", **server.start, **server.references("${env:NAME}")}


def _codex(server: Server) -> Entry:
    return server.start | ({"env_vars": server.keys} if server.keys else {})


def _goose(server: Server) -> Entry:
    about = "Your documents and other language models"
    told = {"enabled": True, "type": "stdio", "name": NAME, "description": about}
    return {**told, "cmd": server.command, "args": server.args, "envs": {}, "timeout": 300}


def _zed(server: Server) -> Entry:
    return {"source": "custom", "enabled": True, **server.start, "env": {}}


HOSTS: Mapping[str, Host] = {
    "claude-desktop": Host(_claude, "mcpServers", places.claude_desktop),
    "claude-code": Host(
        _claude_code, "mcpServers", places.claude_code, project=".mcp.json", usual="project", passes_keys=True
    ),
    "cursor": Host(_cursor, "mcpServers", places.cursor, project=".cursor/mcp.json", passes_keys=True),
    "vscode": Host(_cursor, "servers", places.vscode, project=".vscode/mcp.json", usual="project", passes_keys=True),
    "codex": Host(_codex, "mcp_servers", places.codex, project=".codex/config.toml", language=toml, passes_keys=True),
    "goose": Host(_goose, "extensions", places.goose, language=yaml),
    "zed": Host(_zed, "context_servers", places.zed, project=".zed/settings.json"),
}
