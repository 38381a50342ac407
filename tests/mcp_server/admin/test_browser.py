"""The pages in a real browser: what JavaScript adds, what a keyboard alone can do, and what axe finds."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.browser import CHROMIUM, Browser, Tab, browser
from tests.mcp_server.conformance.node import FOLDER
from tests.mcp_server.inside import Served

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to show a page"),
]
AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def three(served: Served) -> Served:
    """A server with three models."""
    for name, priority in (("large", 10), ("small", 20), ("spare", 30)):
        served.run(served.tk.models.add("openai", f"gpt-{name}", name=name, priority=priority))
    return served


async def click(tab: Tab, selector: str, *, leaves: bool = True) -> None:
    """Press something; `leaves`: and wait for the page that it leads to."""
    await tab.evaluate(f"window.left = true, document.querySelector({json.dumps(selector)}).click()")
    if leaves:
        await tab.arrived()


async def fill(tab: Tab, name: str, text: str) -> None:
    """Type into a field, in place of what stood there."""
    await tab.evaluate(f"document.querySelector('[name={json.dumps(name)}]').select()")
    await tab.press(text)


async def focus_on(tab: Tab, selector: str) -> None:
    """Go to an element with the Tab key alone, and see that it can be seen to have the focus."""
    for _ in range(80):
        await tab.press("Tab")
        if await tab.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
            assert await tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            return
    pytest.fail(f"The Tab key does not reach {selector}.")


async def chain(tab: Tab) -> list[str]:
    return await tab.text(".chain > li > a")


async def test_a_model_is_added_tested_moved_and_brought_back(served: Served, chromium: Browser) -> None:
    served.run(served.tk.models.add("anthropic", "claude-haiku-5-5", name="small", priority=20))
    async with chromium.tab(f"{served.url}/admin/llms") as tab:
        await click(tab, "a[href='/admin/llms/add']")
        await click(tab, "a[href='/admin/llms/add?provider=openai']")
        for name, text in (("model", "gpt-4o-mini"), ("name", "new"), ("priority", "30")):
            await fill(tab, name, text)
        await click(tab, ".fields .main")
        served.vendors.say("ready")
        await click(tab, "[data-busy]")
        assert await tab.text("#trial b, #trial blockquote") == ["It answers.", "ready"]

        await tab.go(f"{served.url}/admin/llms")
        assert await chain(tab) == ["small", "new"]
        assert await tab.evaluate("document.querySelector('[data-when=typed]').hidden")
        model = served.run(served.tk.models.get("new"))
        await fill(tab, f"priority.{model.id}", "5")
        await click(tab, "[data-when=typed]")
        assert await chain(tab) == ["new", "small"]

        await tab.go(f"{served.url}/admin/llms/{model.id}/history")
        assert await tab.text(".difference:not(.new) code") == ["30", "5"]
        await click(tab, ".changes form button")
        await tab.go(f"{served.url}/admin/llms")
        assert await chain(tab) == ["small", "new"]
        assert tab.log == []


async def test_a_row_is_dragged_to_another_place(three: Served, chromium: Browser) -> None:
    async with chromium.tab(f"{three.url}/admin/llms") as tab:
        corner = "(box => [box.left + 8, box.top + 8])(document.querySelectorAll({})[{}].getBoundingClientRect())"
        x, y = await tab.evaluate(corner.format("'.grip'", 2))
        top = (await tab.evaluate(corner.format("'tr[data-id]'", 0)))[1]
        mouse = {"button": "left", "clickCount": 1}
        await tab.send("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **mouse)
        await tab.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=top, buttons=1, **mouse)
        assert await tab.evaluate("document.querySelector('tr.over .name a').textContent") == "large"
        await tab.evaluate("window.left = true")
        await tab.send("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=top, **mouse)
        await tab.arrived()
        assert await chain(tab) == ["spare", "large", "small"]
        assert tab.log == []


async def test_a_question_is_asked_in_a_dialog_and_escape_says_no(three: Served, chromium: Browser) -> None:
    async with chromium.tab(f"{three.url}/admin/llms") as tab:
        for answer in ("Escape", "Enter"):
            await tab.evaluate("document.querySelectorAll('details.menu')[1].open = true")
            await click(tab, "details.menu[open] a.danger", leaves=False)
            await tab.until("document.querySelector('dialog[open]')")
            assert await tab.text("dialog h1") == ["Delete small?"]
            assert await tab.evaluate("document.activeElement.textContent") == "Cancel"
            if answer == "Escape":
                await tab.press(answer)
                await tab.until("!document.querySelector('dialog')")
                assert await tab.evaluate("document.activeElement.getAttribute('aria-label')") == "More for small"
                assert len(await chain(tab)) == 3
        await click(tab, "dialog .main")
        assert await chain(tab) == ["large", "spare"]
        await click(tab, "#all", leaves=False)
        assert await tab.text("#ticked") == ["2 ticked"]
        await click(tab, ".tools .danger", leaves=False)
        await tab.until("document.querySelector('dialog[open]')")
        await click(tab, "dialog .main")
        assert await tab.text(".empty b") == ["There is no model yet.", "Nobody."]
        assert tab.log == []


async def test_a_keyboard_is_enough_to_find_move_and_disable_a_model(three: Served, chromium: Browser) -> None:
    async with chromium.tab(f"{three.url}/admin/llms") as tab:
        await focus_on(tab, ".skip")
        await focus_on(tab, "[name=q]")
        await tab.press("small")
        await tab.evaluate("window.left = true")
        await tab.press("Enter")
        await tab.arrived()
        assert await tab.text("tr[data-id] .name a") == ["small"]
        await focus_on(tab, "[aria-label='Move small up']")
        await tab.evaluate("window.left = true")
        await tab.press("Enter")
        await tab.arrived()
        assert await chain(tab) == ["small", "large", "spare"]
        await focus_on(tab, "[aria-label='More for small']")
        await tab.press("Enter")
        await focus_on(tab, ".menu[open] button")
        await tab.evaluate("window.left = true")
        await tab.press("Enter")
        await tab.arrived()
        assert await chain(tab) == ["large", "spare"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_fault_on_any_page(three: Served, chromium: Browser, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: python -m tests.mcp_server.conformance.node")
    tk = three.tk
    model = three.run(tk.models.get("large"))
    three.run(tk.models.set("small", default=True, scope="team", enabled=False))
    three.run(tk.models.add("groq", "x", name="unset"))
    session = three.run(tk.sessions.create(title="a"))
    three.vendors.say("Yes.")
    three.run(tk.complete("Hello?", session=session.id, model="large"))
    paths = ["/llms", f"/llms/{model.id}", "/llms/add", "/llms/history", "/llms/import", f"/llms/{model.id}/delete"]
    paths += ["/usage", "/sessions", f"/sessions/{session.id}", "/keys", "/nowhere"]
    # What both schemes share is looked at once.
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if scheme == "dark":
        options["runOnly"] = ["color-contrast"]
    found = {}
    async with chromium.tab(f"{three.url}/admin/llms", scheme=scheme) as tab:
        for path in paths:
            await tab.go(f"{three.url}/admin{path}")
            await tab.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
            faults = await tab.evaluate(
                f"axe.run(document, {json.dumps(options)}).then((all) => all.violations.map("
                "(each) => [each.id, each.nodes.map((node) => node.html + node.failureSummary)]))"
            )
            if faults:
                found[path] = faults
    assert found == {}


async def test_nothing_is_cut_off_on_a_narrow_screen(three: Served, chromium: Browser) -> None:
    model = three.run(three.tk.models.get("large"))
    async with chromium.tab(f"{three.url}/admin/llms", width=320) as tab:
        for path in ("/llms", f"/llms/{model.id}", "/llms/add", "/llms/history", "/usage", "/sessions", "/keys"):
            await tab.go(f"{three.url}/admin{path}")
            assert await tab.evaluate("document.documentElement.scrollWidth") <= 320, path
