"""The magics in a real kernel, which all tests of this file share."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from toolkit.testing.faults import Fault
from toolkit.testing.vendors import VendorServer

SECONDS = 60


@dataclass
class Ran:
    """What came of a cell."""

    status: str = ""
    printed: str = ""
    shown: dict[str, Any] = field(default_factory=dict)
    traceback: list[str] = field(default_factory=list)


class Kernel:
    """A kernel in which `%load_ext notebooks` was run."""

    def __init__(self, vendors: VendorServer, folder: Path) -> None:
        environ = {
            **vendors.environ(),
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "IPYTHONDIR": str(folder / "ipython"),
            "XDG_DATA_HOME": str(folder / "data"),
            "TOOLKIT_DATABASE_URL": f"sqlite:///{folder / 'magics.db'}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        self.vendors = vendors
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=environ)
        self.run("%load_ext notebooks")

    def begin(self, source: str) -> str:
        """Send a cell, and give the id of the message."""
        message: str = self.client.execute(source, allow_stdin=False)
        return message

    def end(self, sent: str, *, interrupt_at: str | None = None) -> Ran:
        """Wait until the cell has run; interrupt it when it has printed a text."""
        ran = Ran()
        while True:
            message = self.client.get_iopub_msg(timeout=SECONDS)
            if message["parent_header"].get("msg_id") != sent:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "stream" if content["name"] == "stdout":
                    ran.printed += content["text"]
                case "execute_result":
                    ran.shown = content["data"]
                case "error":
                    ran.traceback = content["traceback"]
                case "status" if content["execution_state"] == "idle":
                    break
            if interrupt_at is not None and interrupt_at in ran.printed:
                interrupt_at = None
                self.manager.interrupt_kernel()
        while not ran.status:
            message = self.client.get_shell_msg(timeout=SECONDS)
            if message["parent_header"].get("msg_id") == sent:
                ran.status = message["content"]["status"]
        return ran

    def run(self, source: str) -> Ran:
        """Run a cell."""
        return self.end(self.begin(source))

    def value(self, expression: str) -> str:
        """The repr of an expression."""
        return str(self.run(expression).shown["text/plain"])


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with VendorServer() as vendors:
        kernel = Kernel(vendors, tmp_path_factory.mktemp("magics"))
        try:
            yield kernel
        finally:
            kernel.client.stop_channels()
            kernel.manager.shutdown_kernel(now=True)


@pytest.fixture(autouse=True)
def recovered(kernel: Kernel) -> Iterator[None]:
    yield
    kernel.vendors.recover()


def asked(kernel: Kernel) -> list[str]:
    """The texts of the last request."""
    said = json.dumps(kernel.vendors.requests[-1].body, ensure_ascii=False)
    return re.findall(r'"(?:text|content)": "((?:[^"\\]|\\.)*)"', said)


def test_an_answer_is_printed_with_a_line_that_says_who_gave_it(kernel: Kernel) -> None:
    kernel.vendors.say("Paris.")
    ran = kernel.run("%%ask -o answer\nWhat is the capital of France?")
    assert ran.status == "ok"
    assert re.fullmatch(r"Paris\.\n— \S+ · \d+ in · \d+ out · \$[\d.]+\n", ran.printed.replace("\u202f", ""))
    assert kernel.value("answer.text") == "'Paris.'"


def test_the_same_cell_prints_the_same_again(kernel: Kernel) -> None:
    assert kernel.run("%%ask\nWhat is it?").printed == kernel.run("%%ask\nWhat is it?").printed


def test_chat_remembers_across_cells_and_ask_does_not(kernel: Kernel) -> None:
    kernel.run("%%chat --new\nMy name is Ada.")
    kernel.run("%%chat\nWhat is my name?")
    assert any("Ada" in text for text in asked(kernel))
    kernel.run("%%ask\nWhat is my name?")
    assert not any("Ada" in text for text in asked(kernel))


def test_a_conversation_has_its_title_and_begins_anew_when_told_to(kernel: Kernel) -> None:
    kernel.run('%%chat -s "Cost report"\nIt rose.')
    kernel.run("%%chat\nSomething else.")
    assert not any("It rose." in text for text in asked(kernel))
    kernel.run('%%chat -s "Cost report"\nWhy?')
    assert any("It rose." in text for text in asked(kernel))
    session = kernel.value("reply.session_id")
    kernel.run(f"%%chat -s {session}\nAnd then?")
    assert any("It rose." in text for text in asked(kernel))
    kernel.run('%%chat -s "Cost report" --new\nWhy?')
    assert not any("It rose." in text for text in asked(kernel))
    assert kernel.value("reply.session_id") != session


def test_a_conversation_is_found_again_by_its_title_after_a_restart(kernel: Kernel) -> None:
    kernel.run("%%chat -s plans\nWe go to Rome.")
    kernel.run(
        "get_ipython().extension_manager.load_extension; __import__('notebooks').load_ipython_extension(get_ipython())"
    )
    kernel.run("%%chat -s plans\nWhere?")
    assert any("Rome" in text for text in asked(kernel))


def test_a_variable_is_put_in_and_a_frame_by_its_description(kernel: Kernel) -> None:
    kernel.run("city, frame = 'Rome', __import__('pandas').DataFrame({'price': range(1000)})")
    kernel.run('%%ask\nIs {frame} about {city}? {{city}} {"a": 1}')
    text = " ".join(asked(kernel))
    assert "DataFrame, 1,000 rows × 1 column" in text
    assert "about Rome?" in text
    assert "{city}" in text


def test_an_unknown_variable_is_named_with_the_nearest_and_nothing_is_asked(kernel: Kernel) -> None:
    kernel.run("quarterly = 1")
    before = len(kernel.vendors.requests)
    ran = kernel.run("%%ask\nSum {quaterly}.")
    assert ran.status == "error"
    assert "\n".join(ran.traceback) == (
        "ConfigError: There is no variable 'quaterly'; did you mean {quarterly}? "
        "Write {{quaterly}} where the braces are meant."
    )
    assert len(kernel.vendors.requests) == before


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("%%ask -m nobody/at-all\nHi", "NotFound: "),
        ("%%ask -x\nHi", "ConfigError: Unrecognized arguments: -x; %%ask? tells what may be given."),
        ("%%ask\n \n", "ConfigError: There is no question; write it below the line of the magic."),
        ("%%ask -o 1x\nHi", "ConfigError: '1x' cannot be a variable; give -o a name such as reply."),
        ("%%ask -c a -t b\nHi", "ConfigError: An answer from documents is given without tools; leave out -c or -t."),
        ("%%chat -s 01980000-0000-7000-8000-000000000000\nHi", "NotFound: "),
        ("%search -c nowhere it's", "NotFound: "),
        ("%usage lately", "ConfigError: 'lately' is no time; write 7d, 2w or today."),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_the_cell_has_failed(kernel: Kernel, cell: str, sentence: str) -> None:
    ran = kernel.run(cell)
    assert ran.status == "error"
    assert len(ran.traceback) == 1
    assert ran.traceback[0].startswith(sentence)
    assert "\n" not in ran.traceback[0]
    assert ran.printed == ""


def test_when_nobody_answers_the_sentence_has_no_stack_trace(kernel: Kernel) -> None:
    kernel.vendors.fail("openai", Fault.status(401))
    ran = kernel.run("%%ask -m openai/gpt-4o-mini\nHi")
    assert ran.status == "error"
    assert len(ran.traceback) == 1
    assert "Traceback" not in ran.traceback[0] + ran.printed


def test_a_fallback_is_named_in_the_last_line(kernel: Kernel) -> None:
    kernel.vendors.fail("openai", Fault.status(401))
    ran = kernel.run("%%ask\nHi")
    assert "fell back from" in ran.printed


def test_an_interrupt_keeps_what_was_said_and_cancels_the_request(kernel: Kernel) -> None:
    kernel.vendors.say("one two three four five six", vendor="openai")
    kernel.vendors.fail("openai", Fault.stall(after=3), times=1)
    ran = kernel.end(kernel.begin("%%chat -m openai/gpt-4o-mini -o part\nCount."), interrupt_at="three")
    assert ran.status == "error"
    assert ran.traceback == ["Stopped: What had been said is in `part`."]
    assert ran.printed.startswith("one two three")
    assert ran.printed.endswith("\n— stopped\n")
    assert kernel.value("part.text.split()") == "['one', 'two', 'three']"
    assert kernel.value("part.message.stopped") == "True"
    assert kernel.vendors.requests[-1].abandoned.wait(SECONDS)
    kernel.run("%%chat\nGo on.")
    assert any("one two three" in text for text in asked(kernel))


def test_documents_are_searched_and_answered_from(kernel: Kernel) -> None:
    kernel.run(
        "import notebooks as nb\ntk = nb.connect_sync()\n"
        "tk.ingest('Retries are counted in one place. The router retries twice.', collection='handbook')"
    )
    ran = kernel.run("%search who counts retries? -c handbook -o hits")
    assert kernel.value("hits[0].collection") == "'handbook'"
    assert "text/plain" in ran.shown
    kernel.vendors.say("The router retries twice [1].")
    ran = kernel.run("%%ask -c handbook\nHow often does the router retry?")
    assert "retries twice [1]" in ran.printed
    assert "\n  [1] " in ran.printed
    assert kernel.value("reply.citations[0].number") == "1"


def test_a_tool_that_was_called_is_told_in_a_line(kernel: Kernel) -> None:
    kernel.vendors.call_tool("list_models", {})
    kernel.vendors.say("There they are.")
    ran = kernel.run("%%ask -t list_models\nWhich models?")
    assert "— list_models: " in ran.printed
    assert "There they are." in ran.printed


def test_usage_gives_figures_that_a_cell_shows(kernel: Kernel) -> None:
    kernel.run("%%ask\nHi")
    assert kernel.run("%usage 7d --by provider -o figures").shown
    assert kernel.value("figures.total.calls > 0") == "True"
    assert kernel.run("%usage today --by tool").status == "ok"


def test_help_tells_what_may_be_given(kernel: Kernel) -> None:
    assert "--session" in kernel.run("print(get_ipython().find_cell_magic('chat').__doc__)").printed
