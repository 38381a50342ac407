"""`toolkit ask` and `toolkit chat`."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import Run
from toolkit.cli.chat import provenance
from toolkit.messages import Attempt, Message, Reply, Usage
from toolkit.testing.vendors import Fault, VendorServer

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.mark.usefixtures("handbook")
def test_ask_answers_without_a_vendor_and_says_where_it_stands(run: Run) -> None:
    result = run("ask", "When", "does", "a", "circuit", "breaker", "open?")

    assert result.exit_code == 0, result.output
    assert "opens after five failures" in result.stdout
    assert re.search(r"^\[1\] .*breaker\.md:\d+-\d+$", result.stdout, re.MULTILINE)
    assert result.stdout.splitlines()[-1].startswith("offline · ")
    assert " ms" in result.stdout.splitlines()[-1]


@pytest.mark.usefixtures("handbook")
def test_ask_json_holds_answer_citations_and_who_answered(run: Run) -> None:
    told = json.loads(run("ask", "When does a session expire?", "--json").stdout)

    assert "after a day" in told["answer"]
    assert told["citations"][0]["source"].endswith("sessions.md")
    assert told["model"] == "offline"
    assert [attempt["error"] for attempt in told["attempts"]] == [None]


@pytest.mark.usefixtures("handbook")
def test_ask_names_who_failed_before_and_why(run: Run, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(401))
    vendors.say("After five failures [1].", vendor="anthropic")

    result = run("ask", "When does a circuit breaker open?", **vendors.environ())

    assert result.exit_code == 0, result.output
    last = result.stdout.splitlines()[-1]
    assert last.startswith("claude-")
    assert re.search(r"· \d+ \+ \d+ tokens · \$0\.\d+ · [\d,]+ ms · after gpt-\S+ failed: ", last)


def test_a_model_asked_several_times_is_named_once() -> None:
    failed = Attempt("small", "openai", "gpt", error="ProviderUnavailable", message="It is overloaded.", status=503)
    answered = Attempt("large", "anthropic", "claude", usage=Usage(1200, 34), cost_nano_usd=None)
    reply = Reply(Message("assistant", "Hi"), "large", (failed, failed, answered), "id", milliseconds=1234.4)

    assert provenance(reply) == (
        "large · 1,200 + 34 tokens · cost unknown · 1,234 ms · after small (2 times) failed: It is overloaded"
    )


def test_a_chat_in_one_shot_prints_the_answer_alone_and_notes_the_session(run: Run, vendors: VendorServer) -> None:
    vendors.say("Because of Rayleigh scattering.")

    result = run("chat", "Why is the sky blue?", **vendors.environ())

    assert result.exit_code == 0, result.output
    assert result.stdout == "Because of Rayleigh scattering.\n"
    assert len(set(_ID.findall(result.stderr))) == 1
    assert "Kept: toolkit chat --session" in result.stderr


def test_a_chat_goes_on_in_its_session(run: Run, vendors: VendorServer) -> None:
    vendors.say("Noted.", "Blue.")
    first = run("chat", "My colour is blue.", **vendors.environ())
    session = _ID.findall(first.stderr)[0]

    second = run("chat", "Which is my colour?", "--session", session, **vendors.environ())

    assert second.stdout == "Blue.\n"
    asked = vendors.requests[-1].body["messages"]
    assert [message["content"] for message in asked] == ["My colour is blue.", "Noted.", "Which is my colour?"]
    shown = run("sessions", "show", session).stdout
    assert shown.index("My colour is blue.") < shown.index("Noted.") < shown.index("Blue.")


def test_what_is_piped_in_is_the_message(run: Run, vendors: VendorServer) -> None:
    run("chat", input="Summarise this.\n", **vendors.environ())
    run("chat", "Review:", "-", input="the diff\n", **vendors.environ())

    said = [request.body["messages"][-1]["content"] for request in vendors.requests]
    assert said == ["Summarise this.", "Review: the diff"]


def test_a_chat_that_said_nothing_leaves_no_session(run: Run, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(401))
    vendors.fail("anthropic", Fault.status(401))

    result = run("chat", "Hello?", "--model", "gpt-6-luna", **vendors.environ())

    assert result.exit_code == 1
    assert "Kept" not in result.stderr
    assert json.loads(run("sessions", "list", "--json").stdout) == []


class Terminal:
    """`toolkit chat` in a terminal of its own."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._own, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "toolkit.cli", "chat"],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=os.environ | {"TERM": "dumb", "COLUMNS": "200"} | environ,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""
        self._read = 0  # how much of it was waited for

    def type(self, line: str) -> None:
        os.write(self._own, line.encode() + b"\n")

    def until(self, text: str, seconds: float = 30.0) -> None:
        """Read until `text` is shown."""
        deadline = time.monotonic() + seconds
        while text not in self.shown[self._read :]:
            ready, _, _ = select.select([self._own], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{text!r} never came after {self.shown!r}"
            self.shown += os.read(self._own, 4096).decode()
        self._read = self.shown.index(text, self._read) + len(text)

    def interrupt(self) -> None:
        """Press Ctrl-C, again if need be: one that comes between a prompt and its waiting for input goes unheard."""
        for _ in range(10):
            self.process.send_signal(signal.SIGINT)
            if select.select([self._own], [], [], 2.0)[0]:
                return
        raise AssertionError(f"Ctrl-C was not heard after {self.shown!r}")

    def close(self) -> None:
        os.close(self._own)
        self.process.kill()
        self.process.wait()


def test_ctrl_c_stops_an_answer_and_then_the_conversation_which_is_kept(run: Run, vendors: VendorServer) -> None:
    vendors.say("Hello Ada.")
    terminal = Terminal(vendors.environ())
    try:
        terminal.until("> ")
        terminal.type("I am Ada.")
        terminal.until("Hello Ada.")
        terminal.until("> ")
        vendors.fail("openai", Fault.stall(after=1))
        terminal.type("Tell me a long story.")
        terminal.until("You")  # the first word of the answer that then hangs
        terminal.interrupt()
        terminal.until("Stopped. This turn is not kept")
        terminal.until("> ")
        terminal.interrupt()
        terminal.until("Kept: toolkit chat --session")
        assert terminal.process.wait(10) == 130
    finally:
        terminal.close()

    assert "Traceback" not in terminal.shown
    session = _ID.findall(terminal.shown)[0]
    messages = json.loads(run("sessions", "show", session, "--json").stdout)["messages"]
    assert [message["text"] for message in messages] == ["I am Ada.", "Hello Ada."]
