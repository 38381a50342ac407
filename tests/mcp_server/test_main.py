"""The command line of `toolkit-mcp`."""

import os
import socket
import subprocess

import pytest

import toolkit
from tests.mcp_server.serving import FOLDER, PLAIN, environment


def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command with no client at all."""
    return subprocess.run(
        [*PLAIN, "--db", "sqlite://", *args],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment(env),
        cwd=FOLDER,
        timeout=30,
    )


def test_without_a_client_it_ends_quietly() -> None:
    done = run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_tells_its_version() -> None:
    assert run("--version").stdout == f"toolkit-mcp, version {toolkit.__version__}\n"


def test_help_names_every_option() -> None:
    said = run("--help").stdout
    assert all(option in said for option in ("--db", "--http", "--tools", "--read-only", "--version"))


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--tools", "serch"], "There is no preset or tool 'serch'; the nearest is 'search'."),
        (["--tools", "delete_session", "--read-only"], "every tool of delete_session changes something"),
        (["--tools", ","], "No tool is left to offer: none was named; name others."),
        (
            ["--http", "0.0.0.0:8080"],
            "0.0.0.0:8080 can be reached from other machines, and nobody could prove who calls",
        ),
        (["--http", "example.org:8080"], "example.org is no IP address; write 127.0.0.1:8080"),
        (["--http", "127.0.0.1:x"], "'127.0.0.1:x' is no address; write HOST:PORT, e.g. 127.0.0.1:8080."),
        (["--http", "127.0.0.1:70000"], "'127.0.0.1:70000' is no address"),
        (["--http", ":8080"], "':8080' is no address"),
        (["--http", "127.0.0.1:0", "--db", "mysql://x"], "'mysql://x' must begin with sqlite:// or postgresql://"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(args: list[str], sentence: str) -> None:
    done = run(*args)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_port_that_is_taken_is_told_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = run("--http", address)
    assert done.returncode == 1
    assert done.stderr == f"Error: {address} cannot be listened at (Address already in use); choose another port.\n"


def test_a_variable_that_cannot_be_used_is_told_in_one_sentence() -> None:
    done = run(TOOLKIT_LOG_LEVEL="LOUD")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: TOOLKIT_LOG_LEVEL is 'LOUD'")


def test_a_host_that_can_only_set_variables_can_choose_tools_and_an_option_wins() -> None:
    assert "nearest is 'chat'" in run(TOOLKIT_TOOLS="default,-chatt").stderr
    assert "nearest is 'search'" in run("--tools", "serch", TOOLKIT_TOOLS="default,-chatt").stderr
    assert run("--tools", "-ingest").returncode == 0


def test_an_unknown_option_is_a_matter_of_usage() -> None:
    done = run("--nope")
    assert done.returncode == 2
    assert "No such option '--nope'" in done.stderr


def test_the_log_has_the_level_that_the_environment_asks_for() -> None:
    assert run(TOOLKIT_LOG_LEVEL="DEBUG").stderr
    assert not run(TOOLKIT_LOG_LEVEL="ERROR").stderr


def test_at_a_terminal_it_says_what_it_waits_for(database: str) -> None:
    person, terminal = os.openpty()
    with subprocess.Popen(
        [*PLAIN, "--db", database], stdin=terminal, stderr=subprocess.PIPE, text=True, env=environment(), cwd=FOLDER
    ) as process:
        assert process.stderr
        assert process.stderr.readline().startswith("Waiting for an agent host on standard input")
        os.write(person, b"\x04")  # Ctrl-D
        assert process.wait(timeout=20) == 0
    os.close(person)
    os.close(terminal)
