"""Every command says what it does and what to type."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

import toolkit
from tests.cli.conftest import Run
from toolkit.cli import cli


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


COMMANDS = list(_commands(cli))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_a_sentence_and_an_example(words: tuple[str, ...], run: Run) -> None:
    result = run(*words, "--help")

    assert result.exit_code == 0
    sentence = result.stdout.split("\n\n")[1].strip()
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert f"toolkit {' '.join(words)}" in result.stdout.split("Example:")[1]


def test_the_commands_of_the_contract_are_there() -> None:
    families = {
        "models": {
            *("list", "add", "set", "edit", "test", "enable", "disable", "default", "history", "remove"),
            *("restore", "export", "import", "select"),
        },
        "sessions": {"list", "search", "show", "rename", "extend", "fork", "export", "import", "delete"},
        "tools": {"list", "call", "check"},
        "prompts": {"list", "show", "render", "validate", "add", "edit", "history", "restore", "remove"},
        "limits": {"list", "set", "remove", "status"},
        "keys": {"create", "list", "revoke", "forget"},
        "cache": {"show", "clear", "invalidate"},
        "jobs": {"list", "show", "cancel", "resume", "delete"},
        "notebook": {"test", "update"},
        "db": {"copy", "backup", "vacuum", "check", "stats", "prune"},
    }
    alone = {
        *("demo", "ingest", "search", "evaluate", "ask", "chat"),
        *("batch", "usage", "migrate", "doctor", "config"),
    }

    assert set(cli.commands) == alone | set(families)
    for name, expected in families.items():
        family = cli.commands[name]
        assert isinstance(family, click.Group)
        assert set(family.commands) == expected


GROUPS: list[tuple[str, ...]] = [
    (),
    ("sessions",),
    ("prompts",),
    ("limits",),
    ("cache",),
    ("jobs",),
    ("notebook",),
    ("models",),
    ("tools",),
    ("db",),
]


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_the_list_of_commands_shows_whole_sentences(words: tuple[str, ...], run: Run) -> None:
    listed = run(*words, "--help").stdout.split("Commands:")[1].split("Example:")[0]

    assert "..." not in listed


def test_the_version_is_said(run: Run) -> None:
    assert run("--version").stdout == f"toolkit {toolkit.__version__}\n"


def test_a_wrong_word_ends_with_exit_code_2(run: Run) -> None:
    assert run("serach", "x").exit_code == 2
    assert run("models", "add", "openai").exit_code == 2


def test_help_does_not_load_what_it_does_not_need() -> None:
    heavy = ("pydantic", "mcp", "rich", "numpy", "sqlite_utils", "openai", "anthropic", "toolkit.toolkit")
    script = f"import sys, toolkit.cli; print([m for m in {heavy} if m in sys.modules])"

    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert out == "[]\n"
