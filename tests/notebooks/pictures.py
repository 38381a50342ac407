"""The pictures of the panels in `docs/images`, made anew: `python -m tests.notebooks.pictures [PANEL…]`.

Each panel is used in a real JupyterLab as a person would, and photographed light and dark. The vendors are ours.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from PIL import Image

from tests.browser import CHROMIUM
from tests.notebooks.lab import lab
from tests.notebooks.page import NotebookPage
from toolkit.messages import Message, ToolCall
from toolkit.testing.vendors import Fault, VendorServer

FOLDER = Path(__file__).parent.parent.parent / "docs" / "images"
WIDTH = 1040
MOST_BYTES = 150_000

SETUP = """
    import notebooks as nb
    from toolkit.search.documents import Document

    tk = await nb.connect("sqlite://")
    await tk.models.add("anthropic", "claude-haiku-5-5", name="careful", priority=10)
    await tk.models.add("openai", "gpt-6-luna", name="quick", priority=20)
    await tk.models.add("groq", "llama-4-scout", name="spare", priority=30, enabled=False)
    for name in ("gpt-6-luna", "claude-haiku-5-5"):
        await tk.models.remove(name)

    @tk.tool(read_only=True)
    def failures(provider: str, hours: int = 24) -> dict[str, int]:
        "Counts the failed calls of a provider."
        return {"timeouts": 41, "rate limited": 7}

    HANDBOOK = {
        "ops/breaker.md": "# The breaker\\n\\nThe circuit breaker of a model **opens** after five failures in a row. "
        "While it is open, questions go to the next model of the chain at once.\\n",
        "ops/retries.md": "# Retries\\n\\nA timeout is tried again twice. After that the circuit breaker counts it as "
        "one failure, and the next model is asked.\\n",
        "ops/half-open.md": "# Half-open\\n\\nAfter thirty seconds one request probes whether the provider is back; "
        "if it is, the breaker closes again.\\n",
    }
    for source, text in HANDBOOK.items():
        await tk.ingest(Document(source=source, title=text.split("\\n")[0][2:], text=text), collection="handbook")
"""
SPENT = """
    import datetime as dt
    import toolkit.stamps as stamps

    began = stamps.now()
    for ago in range(6, -1, -1):
        for number in range(1 + (ago * 5) % 4 + 2 * (ago == 2)):
            user, model = ("ada", "careful") if number % 2 else ("ben", "quick")
            with stamps.freeze(began - dt.timedelta(days=ago, minutes=number)):
                await tk.complete("How much is it? " * (60 + 45 * number), user=user, model=model)
"""
ANSWER = """Yes: **careful** is slower than last week. Of its calls 48 failed since yesterday, most in time-outs.

| hour | calls | median |
|---|--:|--:|
| 09:00 | 212 | 1.9 s |
| 10:00 | 187 | 6.4 s |

With a share $p$ of failures, $n$ retries leave $p^{n+1}$ of them. The rest is asked elsewhere:

```python
await tk.models.set("careful", priority=30)
```
"""

Use = Callable[[NotebookPage, VendorServer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scene:
    """A panel, and what is done in it before the picture is taken."""

    cells: tuple[str, ...]
    use: Use


async def chat(page: NotebookPage, vendors: VendorServer) -> None:
    """A question whose answer took a tool and a fallback, and another one that is being answered."""
    call = Message("assistant", tool_calls=(ToolCall("call_1", "failures", {"provider": "anthropic"}),))
    vendors.fail("anthropic", Fault.status(529, "Overloaded"))
    vendors.say(call, ANSWER, vendor="openai")
    await page.write("Message", "Are our models slower than last week?")
    await page.press("Enter")
    await page.sees("fell back", within=".toolkit-foot")
    await page.sees("Send", within=".toolkit-bar .jupyter-button")


async def search(page: NotebookPage, _vendors: VendorServer) -> None:
    """A search with hits."""
    await page.write("Search", "when does the circuit breaker open", within=".toolkit-search")
    await page.press("Enter")
    await page.sees("[3]", within=".toolkit-search")


async def form(page: NotebookPage, _vendors: VendorServer) -> None:
    """A wrong value."""
    await page.write("query (required)", "circuit breaker")
    await page.write("top_k", "500")
    await page.press("Tab")
    await page.sees("50", within=".toolkit-wrong")


async def models(page: NotebookPage, vendors: VendorServer) -> None:
    """A chain of which one model was just tested, and another one has failed."""
    vendors.fail("anthropic", Fault.status(529, "Overloaded"))
    await page.click("Test quick")
    await page.sees("answered")
    await page.click("Test careful")
    await page.sees("verload")


async def usage(page: NotebookPage, _vendors: VendorServer) -> None:
    """A week."""
    await page.sees("careful", within="tbody")


async def sessions(page: NotebookPage, _vendors: VendorServer) -> None:
    """A conversation that was opened."""
    await page.click("Retries and time-outs")
    await page.sees("You said")


TALKED = """
    for title in ("A plan for the fallback", "Retries and time-outs", "What the last month cost"):
        session = await tk.sessions.create(title=title, user="ada", origin="notebook")
        await tk.complete(f"Tell me about {title.lower()}.", session=session.id, user="ada", model="quick")
"""
SCENES = {
    "chat": Scene((SETUP, "chat = nb.ChatPanel(tk, tools=['failures'])\nchat"), chat),
    "search": Scene((SETUP, "nb.SearchPanel(tk, 'handbook')"), search),
    "form": Scene((SETUP, "nb.ToolForm(tk, 'semantic_search')"), form),
    "models": Scene((SETUP, "await tk.complete('ready?')", "nb.ModelsPanel(tk)"), models),
    "usage": Scene((SETUP, SPENT, "nb.UsagePanel(tk)"), usage),
    "sessions": Scene((SETUP, TALKED, "nb.SessionsPanel(tk)"), sessions),
}


async def take(*names: str) -> None:
    """Take the pictures of some panels."""
    with tempfile.TemporaryDirectory() as folder, VendorServer() as vendors:
        async with lab(Path(folder), vendors) as jupyter:
            for name in names:
                scene = SCENES[name]
                async with jupyter.notebook(*map(dedent, scene.cells), width=WIDTH) as page:
                    await scene.use(page, vendors)
                    await page.evaluate("document.activeElement.blur()")
                    for theme in ("light", "dark"):
                        await page.theme(theme)
                        path = FOLDER / f"notebook-{name}-{theme}.png"
                        await page.shot(path, f".toolkit-{name}", margin=0)
                        make_small(path)
                vendors.recover()


def make_small(path: Path) -> None:
    """Write a picture in as few bytes as it takes; whoever reads the manual need not load more."""
    with Image.open(path) as picture:
        picture.convert("RGB").save(path, optimize=True)
    size = path.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"{path} has {size} bytes.")


if __name__ == "__main__":
    if CHROMIUM is None:
        sys.exit("There is no chromium to show a page.")
    asyncio.run(take(*(sys.argv[1:] or SCENES)))
