"""The hosts' own files, with our server put in: what was there stays, and what cannot be edited is refused."""

from pathlib import Path

import pytest

from toolkit.cli.hosts.known import HOSTS, Server
from toolkit.cli.hosts.places import Machine
from toolkit.errors import ConfigError

SERVER = Server("/bin/toolkit-mcp", ["--db", "sqlite:////notes.db"], ["OPENAI_API_KEY"])

FULL = {
    "claude-desktop": '{"mcpServers": {"other": {"command": "x"}}, "globalShortcut": ""}',
    "claude-code": '{"mcpServers": {"other": {"type": "http", "url": "http://127.0.0.1:9/mcp"}}}',
    "cursor": '{\n  "mcpServers": {\n    "other": {"command": "x", "env": {"KEY": "${env:KEY}"}}\n  }\n}\n',
    "vscode": '{\n\t// mine\n\t"servers": {\n\t\t"other": {"command": "x"},\n\t},\n\t"inputs": []\n}\n',
    "codex": '# mine\na = "b"\n\n[mcp_servers.other]\ncommand = "x"  # y\n\n# a profile\n[profiles.p]\nmodel = "z"\n',
    "goose": "# mine\nGOOSE_MODEL: gpt\nextensions:\n  # theirs\n  other:\n    cmd: x\n    args: [a]\n\nafter: 1\n",
    "zed": '// Zed settings\n{\n  "theme": "x", // dark\n  "context_servers": {"other": {"command": "x"}}\n}\n',
}


@pytest.mark.parametrize("host", HOSTS)
def test_other_servers_settings_and_comments_stay(host: str) -> None:
    known, text = HOSTS[host], FULL[host]

    merged = known.merged(text, SERVER)

    before, after = known.language.load(text), known.language.load(merged)
    assert after[known.block].pop("toolkit") == known.entry(SERVER)
    assert after == before
    for remark in ("# mine", "// mine", "# theirs", "# y", "# a profile\n[profiles.p]", "// dark", "// Zed settings"):
        assert (remark in merged) == (remark in text)


@pytest.mark.parametrize("host", HOSTS)
def test_done_twice_it_is_as_done_once(host: str) -> None:
    once = HOSTS[host].merged(FULL[host], SERVER)

    assert HOSTS[host].merged(once, SERVER) == once


@pytest.mark.parametrize("host", HOSTS)
def test_the_entry_alone_is_changed_when_the_server_is_another(host: str) -> None:
    other = Server("/bin/toolkit-mcp", ["--read-only"], [])

    changed = HOSTS[host].merged(HOSTS[host].merged(FULL[host], SERVER), other)

    data = HOSTS[host].language.load(changed)
    assert data[HOSTS[host].block].pop("toolkit")["args"] == ["--read-only"]
    assert data == HOSTS[host].language.load(FULL[host])


def test_what_the_user_added_to_the_entry_stays_and_their_keys_before_ours() -> None:
    mine = '{"mcpServers": {"toolkit": {"url": "http://x", "env": {"OPENAI_API_KEY": "sk-mine"}, "disabled": true}}}'
    cursor = HOSTS["cursor"]

    entry = cursor.language.load(cursor.merged(mine, SERVER))["mcpServers"]["toolkit"]

    assert entry["env"] == {"OPENAI_API_KEY": "sk-mine"}
    assert entry["disabled"] is True
    assert "url" not in entry  # it is started now, not called


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("codex", 'mcp_servers = { other = { command = "x" } }\n'),
        ("codex", 'mcp_servers.toolkit.command = "x"\n'),
        ("codex", "text = '''\n[mcp_servers.toolkit]\n'''\n"),
        ("goose", "extensions: {other: {cmd: x}}\n"),
        ("goose", "base: &b {cmd: x}\n---\nextensions: {}\n"),
        ("goose", "extensions: [a]\n"),
        ("zed", '{"context_servers": [1]}'),
        ("zed", "[1]"),
        ("zed", '{"context_servers": null}'),
    ],
)
def test_what_cannot_be_edited_without_touching_the_rest_is_refused(host: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        HOSTS[host].merged(text, SERVER)


def test_a_table_with_tables_in_it_is_replaced_whole() -> None:
    ours = '[mcp_servers.toolkit]\ncommand = "x"\n\n[mcp_servers.toolkit.env]\nA = "1"\n'
    text = f'{ours}\n[mcp_servers."b.c"]\ncommand = "y"\n'
    codex = HOSTS["codex"]

    after = codex.language.load(codex.merged(text, SERVER))["mcp_servers"]

    assert after == {"toolkit": {**codex.entry(SERVER), "env": {"A": "1"}}, "b.c": {"command": "y"}}


_LINUX = {"HOME": "/h"}
_MAC = {"HOME": "/Users/a"}
_WINDOWS = {"USERPROFILE": "C:/Users/a", "APPDATA": "C:/Users/a/AppData/Roaming"}


@pytest.mark.parametrize(
    ("host", "system", "environ", "path"),
    [
        ("claude-desktop", "linux", _LINUX, "/h/.config/Claude/claude_desktop_config.json"),
        ("claude-desktop", "darwin", _MAC, "/Users/a/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", _WINDOWS, "C:/Users/a/AppData/Roaming/Claude/claude_desktop_config.json"),
        ("claude-code", "linux", _LINUX, "/h/.claude.json"),
        ("claude-code", "linux", {**_LINUX, "CLAUDE_CONFIG_DIR": "/c"}, "/c/.claude.json"),
        ("cursor", "win32", _WINDOWS, "C:/Users/a/.cursor/mcp.json"),
        ("vscode", "linux", {**_LINUX, "XDG_CONFIG_HOME": "/x"}, "/x/Code/User/mcp.json"),
        ("vscode", "darwin", _MAC, "/Users/a/Library/Application Support/Code/User/mcp.json"),
        ("vscode", "win32", _WINDOWS, "C:/Users/a/AppData/Roaming/Code/User/mcp.json"),
        ("codex", "darwin", _MAC, "/Users/a/.codex/config.toml"),
        ("codex", "linux", {**_LINUX, "CODEX_HOME": "/c"}, "/c/config.toml"),
        ("goose", "darwin", _MAC, "/Users/a/.config/goose/config.yaml"),
        ("goose", "win32", _WINDOWS, "C:/Users/a/AppData/Roaming/Block/goose/config/config.yaml"),
        ("zed", "darwin", _MAC, "/Users/a/.config/zed/settings.json"),
        ("zed", "win32", {"USERPROFILE": "C:/Users/a"}, "C:/Users/a/AppData/Roaming/Zed/settings.json"),
    ],
)
def test_each_system_has_its_place(host: str, system: str, environ: dict[str, str], path: str) -> None:
    assert HOSTS[host].file("user", Machine(system, environ)).as_posix() == path


def test_claude_desktop_from_windows_store_has_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "Packages/Claude_pzs8sxrjxfjjc").mkdir(parents=True)
    machine = Machine("win32", {"USERPROFILE": "C:/Users/a", "LOCALAPPDATA": str(tmp_path)})

    path = HOSTS["claude-desktop"].file("user", machine)

    assert path.relative_to(tmp_path).parts[:2] == ("Packages", "Claude_pzs8sxrjxfjjc")


def test_without_a_home_folder_it_is_said_what_to_do() -> None:
    with pytest.raises(ConfigError, match="HOME is not set; say where with --path FILE"):
        HOSTS["zed"].file("user", Machine("linux", {}))


def test_a_host_without_files_for_projects_says_so() -> None:
    with pytest.raises(ConfigError, match="leave --scope out"):
        HOSTS["goose"].file("project", Machine("linux", _LINUX))
