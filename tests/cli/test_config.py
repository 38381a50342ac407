"""`toolkit config`: what each agent host reads."""

import json
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Run
from toolkit.cli.hosts.known import HOSTS

_WHERE: dict[str, Callable[[str], Any]] = {
    "claude-desktop": lambda text: json.loads(text)["mcpServers"]["toolkit"],
    "claude-code": lambda text: json.loads(text)["mcpServers"]["toolkit"],
    "cursor": lambda text: json.loads(text)["mcpServers"]["toolkit"],
    "vscode": lambda text: json.loads(text)["servers"]["toolkit"],
    "codex": lambda text: tomllib.loads(text)["mcp_servers"]["toolkit"],
    "goose": lambda text: yaml.safe_load(text)["extensions"]["toolkit"],
    "zed": lambda text: json.loads(text)["context_servers"]["toolkit"],
}


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_is_told_an_executable_that_exists_and_the_whole_path_of_the_database(
    host: str, run: Run, folder: Path
) -> None:
    result = run("config", host, "--db", "sqlite:///notes.db")

    server = _WHERE[host](result.stdout)
    command = server.get("command", server.get("cmd"))
    assert os.access(command, os.X_OK)
    assert Path(command).name == "toolkit-mcp"
    assert server["args"] == ["--db", f"sqlite:///{folder / 'notes.db'}"]


@pytest.mark.parametrize("host", HOSTS)
def test_no_host_is_told_a_key(host: str, run: Run) -> None:
    result = run("config", host, OPENAI_API_KEY="sk-secret-secret")

    assert "sk-secret" not in result.output
    assert "OPENAI_API_KEY" in result.output  # but which variable it needs


def test_hosts_that_can_refer_to_a_variable_do(run: Run) -> None:
    env = {"OPENAI_API_KEY": "sk-secret-secret"}

    assert _WHERE["codex"](run("config", "codex", **env).stdout)["env_vars"] == ["OPENAI_API_KEY"]
    assert _WHERE["vscode"](run("config", "vscode", **env).stdout)["env"] == {"OPENAI_API_KEY": "${env:OPENAI_API_KEY}"}


def test_a_password_from_the_environment_is_left_out_and_said(run: Run) -> None:
    url = "postgresql://ada:hunter22@db.example/app"

    from_variable = run("config", "cursor", TOOLKIT_DATABASE_URL=url)
    from_option = run("config", "cursor", "--db", url)

    assert "hunter22" not in from_variable.output
    assert "has a password" in from_variable.stderr
    assert _WHERE["cursor"](from_option.stdout)["args"] == ["--db", url]


def test_without_the_executable_this_python_runs_the_module(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda _name: "/nowhere")

    server = _WHERE["zed"](run("config", "zed").stdout)

    assert server["command"] == sys.executable
    assert server["args"][:2] == ["-m", "mcp_server"]


def test_an_unknown_host_is_answered_with_those_that_are_known(run: Run) -> None:
    result = run("config", "cursr")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert all(host in result.stderr for host in HOSTS)
    assert "the nearest is 'cursor'" in result.stderr


@pytest.mark.parametrize("host", HOSTS)
def test_written_into_a_host_without_a_file_it_is_what_is_printed(host: str, run: Run, folder: Path) -> None:
    printed = run("config", host).stdout
    written = run("config", host, "--write", HOME=str(folder), XDG_CONFIG_HOME="", CODEX_HOME="", CLAUDE_CONFIG_DIR="")

    assert written.exit_code == 0, written.output
    place, _, said = written.stdout.partition(" names ")
    assert said == "the server now.\n"
    assert Path(place).read_text() == printed
    assert Path(place).is_relative_to(folder)


@pytest.mark.parametrize("host", HOSTS)
def test_written_twice_it_is_left_as_it_is(host: str, run: Run, folder: Path) -> None:
    run("config", host, "--write", "--path", "there")
    before = (folder / "there").stat().st_mtime_ns

    again = run("config", host, "--write", "--path", "there")

    assert again.stdout == "there named the server already.\n"
    assert (folder / "there").stat().st_mtime_ns == before
    assert not list(folder.glob("*.bak"))


@pytest.mark.parametrize("host", HOSTS)
def test_a_broken_file_is_refused_with_its_place_and_left(host: str, run: Run, folder: Path) -> None:
    broken = '{\n  "a": [\n'
    (folder / "there").write_text(broken)

    result = run("config", host, "--write", "--path", "there")

    assert result.exit_code == 1
    assert "there cannot be changed: " in result.stderr
    assert "line " in result.stderr
    assert (folder / "there").read_text() == broken


def test_the_old_file_is_named_when_it_was_changed(run: Run, folder: Path) -> None:
    (folder / ".mcp.json").write_text('{"mcpServers": {"other": {"command": "x"}}}')

    result = run("config", "claude-code", "--write")

    (copy,) = folder.glob(".mcp.json.*.bak")
    assert str(copy) in result.stderr
    assert set(json.loads((folder / ".mcp.json").read_text())["mcpServers"]) == {"other", "toolkit"}


def test_the_options_of_the_server_are_passed_on(run: Run) -> None:
    result = run("config", "cursor", "--db", "sqlite://", "--tools", "search,chat", "--read-only")

    assert _WHERE["cursor"](result.stdout)["args"] == ["--db", "sqlite://", "--tools", "search,chat", "--read-only"]


def test_a_scope_chooses_the_file(run: Run, folder: Path) -> None:
    home = {"HOME": str(folder / "home"), "CLAUDE_CONFIG_DIR": "", "XDG_CONFIG_HOME": ""}
    for host, scope in (("claude-code", "user"), ("cursor", "project"), ("vscode", "user"), ("codex", "project")):
        assert run("config", host, "--write", "--scope", scope, **home).exit_code == 0

    written = {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}
    assert written == {"home/.claude.json", ".cursor/mcp.json", "home/.config/Code/User/mcp.json", ".codex/config.toml"}
    assert run("config", "goose", "--scope", "project", **home).exit_code == 1


def test_without_a_home_it_is_printed_all_the_same_and_not_written(run: Run) -> None:
    assert run("config", "zed", HOME="").exit_code == 0
    refused = run("config", "zed", "--write", HOME="", XDG_CONFIG_HOME="")

    assert refused.exit_code == 1
    assert "HOME is not set; say where with --path FILE" in refused.stderr
