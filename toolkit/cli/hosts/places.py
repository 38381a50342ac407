"""Where each agent host keeps its file, on each system."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides where files lie.

    Attributes:
        system: `linux`, `darwin` or `win32`, as `sys.platform` says it.
        environ: the environment.
    """

    system: str = sys.platform
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def home(self) -> Path:
        """The user's own folder.

        Raises:
            ConfigError: the environment does not say.
        """
        name = "USERPROFILE" if self.system == "win32" else "HOME"
        if value := self.environ.get(name):
            return Path(value)
        raise ConfigError(f"Your home folder is not known, because {name} is not set; say where with --path FILE.")

    @property
    def config(self) -> Path:
        """Where command-line programs keep their settings, as the XDG rules have it."""
        return self._folder("XDG_CONFIG_HOME", ".config")

    @property
    def applications(self) -> Path:
        """Where applications with windows keep theirs."""
        match self.system:
            case "win32":
                return self._folder("APPDATA", "AppData/Roaming")
            case "darwin":
                return self.home / "Library/Application Support"
            case _:
                return self.config

    @property
    def packages(self) -> Path:
        """Where Windows keeps what applications from its store write."""
        return self._folder("LOCALAPPDATA", "AppData/Local") / "Packages"

    def _folder(self, variable: str, otherwise: str) -> Path:
        value = self.environ.get(variable)
        return Path(value) if value else self.home / otherwise


def claude_desktop(machine: Machine) -> Path:
    """Claude Desktop's file; installed from Windows' store, it has folders of its own."""
    name = "claude_desktop_config.json"
    if machine.system == "win32":
        for package in sorted(machine.packages.glob("Claude_*")):
            return package / "LocalCache/Roaming/Claude" / name
    return machine.applications / "Claude" / name


def claude_code(machine: Machine) -> Path:
    """What Claude Code reads in every project."""
    folder = machine.environ.get("CLAUDE_CONFIG_DIR")
    return (Path(folder) if folder else machine.home) / ".claude.json"


def cursor(machine: Machine) -> Path:
    """What Cursor reads in every project."""
    return machine.home / ".cursor/mcp.json"


def vscode(machine: Machine) -> Path:
    """What VS Code reads in every project, in its default profile."""
    return machine.applications / "Code/User/mcp.json"


def codex(machine: Machine) -> Path:
    """What Codex, its app and its extensions read in every project."""
    folder = machine.environ.get("CODEX_HOME")
    return (Path(folder) if folder else machine.home / ".codex") / "config.toml"


def goose(machine: Machine) -> Path:
    """Goose's file."""
    if machine.system == "win32":
        return machine.applications / "Block/goose/config/config.yaml"
    return machine.config / "goose/config.yaml"


def zed(machine: Machine) -> Path:
    """What Zed reads in every project."""
    return (machine.applications / "Zed" if machine.system == "win32" else machine.config / "zed") / "settings.json"
