"""What it costs a kernel to show an answer while it is written.

    python -m benchmarks.notebook [--quick] [--json] [--no-page]

In a real kernel a `ChatPanel` asks, and beside it a bare loop reads the same stream and does nothing with it; both on
the toolkit's own event loop. The vendor is this process, and sends a word of Markdown every five milliseconds. Both
have a turn in each round, the first one in turn. Figures are medians over the rounds, and ratios are taken within one.
The kernel's processor time is that of all its threads; its messages to the page (on iopub) are counted outside of it.
Measured twice: with no page, and with the panel shown by JupyterLab in chromium, where there is one.
"""

import argparse
import asyncio
import json
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from jupyter_client.manager import AsyncKernelManager

from tests.browser import CHROMIUM
from tests.notebooks.lab import lab, unconfigured
from toolkit.testing.vendors import Fault, VendorServer

GOAL_MILLISECONDS = 0.2
GOAL_UPDATES = 15
ROUNDS, QUICK_ROUNDS = 7, 1
PARAGRAPHS, QUICK_PARAGRAPHS = 10, 1
SECONDS_BETWEEN = 0.005
PARAGRAPH = """### Step one

The **breaker** stays open until one probe has `succeeded`; then the other requests are let through again, and the
ledger says *who* answered. See [the manual](https://example.org/breaker) for what is counted.

- it opens after five failures in a row
- it lets one request through every thirty seconds

"""
BARE, PANEL = "bare loop", "ChatPanel"

SETUP = """
import asyncio, json, time
from ipywidgets import VBox
import notebooks as nb
from toolkit.bridge import inside

pieces = 0
tk = await nb.connect("sqlite://")
toolkit, home = inside(tk)
place = VBox()

async def read():
    global pieces
    session = await toolkit.sessions.create()
    text, pieces = "", 0
    async for delta in toolkit.stream("Why?", session=session.id):
        text += delta.text
        pieces += bool(delta.text)
    return text

async def bare():
    future = asyncio.run_coroutine_threadsafe(read(), home)
    return await asyncio.wrap_future(future)

async def panel():
    return (await chat.ask("Why?")).text

async def measured(work):
    await asyncio.sleep(0.3)
    cpu, began = time.process_time(), time.perf_counter()
    text = await work()
    spent = (time.process_time() - cpu, time.perf_counter() - began)
    await asyncio.sleep(0.3)
    print(json.dumps([*spent, text, pieces]))
place
"""
BEFORE = {BARE: "place.children = []", PANEL: "chat = nb.ChatPanel(tk); place.children = [chat]"}
RUN = {BARE: "await measured(bare)", PANEL: "await measured(panel)"}

COUNT = """
window.counted = 0;
jupyterapp.shell.currentWidget.sessionContext.session.kernel.anyMessage.connect((_, { msg }) => {
  if (msg.channel === "iopub" && msg.header.msg_type.startsWith("comm_")) window.counted += 1;
}), 0
"""

Ask = Callable[[str], Awaitable[tuple[str, int]]]
"""Runs code in a kernel; gives what it printed, and how many messages of widgets the kernel sent meanwhile."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer as it was read."""

    cpu_seconds: float
    seconds: float
    messages: int
    pieces: int


@dataclass(frozen=True, slots=True)
class Cost:
    """The same under one condition, as medians over the rounds.

    Attributes:
        page: whether a page showed the panel.
        tokens: of the answer: pieces that the vendor sent.
        bare_milliseconds: of the kernel's processor, per token, in the bare loop.
        panel_milliseconds: the same with the panel.
        extra_milliseconds: what the panel adds, per token.
        ratio: the panel's to the bare loop's in the same round.
        messages: of widgets that the kernel sent for one answer.
        messages_per_second: while it was written.
    """

    page: bool
    tokens: int
    rounds: int
    bare_milliseconds: float
    panel_milliseconds: float
    extra_milliseconds: float
    ratio: float
    messages: float
    messages_per_second: float


@asynccontextmanager
async def without_page(vendors: VendorServer, folder: Path) -> AsyncIterator[Ask]:
    """A kernel that nobody looks at."""
    manager = AsyncKernelManager()
    environ = {**unconfigured(), **vendors.environ(), "HOME": str(folder)}
    await manager.start_kernel(cwd=str(folder), env=environ, stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()

    async def ask(code: str) -> tuple[str, int]:
        request, told, count = client.execute(code), "", 0
        while True:
            message = await client.get_iopub_msg(timeout=120)
            kind, content = message["msg_type"], message["content"]
            # The thread that the toolkit works in may send in the name of an earlier request.
            count += kind.startswith("comm_")
            if message["parent_header"].get("msg_id") != request:
                continue
            if kind == "stream":
                told += content["text"]
            elif kind == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                return told, count

    try:
        await client.wait_for_ready(timeout=60)
        await ask(SETUP)
        yield ask
    finally:
        client.stop_channels()
        await manager.shutdown_kernel(now=True)


@asynccontextmanager
async def with_page(vendors: VendorServer, folder: Path) -> AsyncIterator[Ask]:
    """A kernel whose panel is shown by JupyterLab in a browser."""
    async with lab(folder, vendors) as jupyter, jupyter.notebook(SETUP) as page:
        await page.evaluate(COUNT)

        async def ask(code: str) -> tuple[str, int]:
            before = await page.evaluate("window.counted")
            told = await page.python(code)
            return told, await page.evaluate("window.counted") - before

        yield ask


async def measure(ask: Ask, vendors: VendorServer, *, rounds: int, answer: str, page: bool) -> Cost:
    """Give both their turns in each round, and add up."""
    turns: dict[str, list[Turn]] = {BARE: [], PANEL: []}
    for number in range(rounds + 1):
        for name in sorted(turns, reverse=bool(number % 2)):
            vendors.say(answer)
            await ask(BEFORE[name])
            told, messages = await ask(RUN[name])
            cpu, seconds, text, pieces = json.loads(told)
            if text != answer:
                raise RuntimeError(f"The {name} read another answer than was given.")
            if number:  # the first round warms up
                turns[name].append(Turn(cpu, seconds, messages, pieces))
    bare, panel = turns[BARE], turns[PANEL]
    tokens = bare[0].pieces
    return Cost(
        page=page,
        tokens=tokens,
        rounds=rounds,
        bare_milliseconds=1000 * median(turn.cpu_seconds for turn in bare) / tokens,
        panel_milliseconds=1000 * median(turn.cpu_seconds for turn in panel) / tokens,
        extra_milliseconds=1000
        * median(ours.cpu_seconds - least.cpu_seconds for ours, least in zip(panel, bare, strict=True))
        / tokens,
        ratio=median(ours.cpu_seconds / least.cpu_seconds for ours, least in zip(panel, bare, strict=True)),
        messages=median(turn.messages for turn in panel),
        messages_per_second=median(turn.messages / turn.seconds for turn in panel),
    )


async def run(*, quick: bool, page: bool) -> list[Cost]:
    """All conditions that can be had here."""
    rounds, paragraphs = (QUICK_ROUNDS, QUICK_PARAGRAPHS) if quick else (ROUNDS, PARAGRAPHS)
    conditions = [without_page, *([with_page] if page and CHROMIUM else [])]
    costs = []
    for condition in conditions:
        with tempfile.TemporaryDirectory() as folder, VendorServer() as vendors:
            vendors.fail("openai", Fault.drip(SECONDS_BETWEEN))
            async with condition(vendors, Path(folder)) as ask:
                answer = (PARAGRAPH * paragraphs).strip()
                costs.append(await measure(ask, vendors, rounds=rounds, answer=answer, page=condition is with_page))
    return costs


def table(costs: Sequence[Cost]) -> str:
    """What was measured, for people."""
    lines = [
        f"{costs[0].tokens} tokens, {1 / SECONDS_BETWEEN:.0f} a second at most, {costs[0].rounds} rounds.",
        "",
        "| kernel CPU per token | bare loop | ChatPanel | ratio | added | messages | per second |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {'shown in JupyterLab' if cost.page else 'no page'} | {cost.bare_milliseconds:.3f} ms "
        f"| {cost.panel_milliseconds:.3f} ms | {cost.ratio:.2f} | {cost.extra_milliseconds:.3f} ms "
        f"| {cost.messages:.0f} | {cost.messages_per_second:.1f} |"
        for cost in costs
    ]
    if CHROMIUM is None:
        lines.append("| shown in JupyterLab | missing: there is no chromium | | | | | |")
    lines += ["", f"Goals: at most {GOAL_MILLISECONDS} ms added, {GOAL_UPDATES} updates a second."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="What it costs a kernel to show an answer while it is written.")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument("--json", action="store_true", help="also print one JSON object, as the last line")
    parser.add_argument("--no-page", action="store_true", help="only where nobody looks at the panel")
    given = parser.parse_args()
    costs = asyncio.run(run(quick=given.quick, page=not given.no_page))
    print(table(costs))
    if given.json:
        print(json.dumps({"costs": [asdict(cost) for cost in costs]}))


if __name__ == "__main__":
    main()
