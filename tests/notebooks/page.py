"""An open notebook in a browser: what a person does in it, and what they see."""

import asyncio
import base64
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.browser import Tab
from tests.mcp_server.conformance.node import FOLDER

AXE = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

_NOTEBOOK = "window.jupyterapp.shell.currentWidget"
# The toolbar says idle before there is a kernel: the session knows.
_CONNECTED = f"""(() => {{
  const shown = {_NOTEBOOK}, kernel = shown?.sessionContext?.session?.kernel;
  return shown?.context?.isReady && shown.sessionContext.isReady
    && kernel?.connectionStatus === "connected" && kernel.status === "idle";
}})()"""
_CELLS = f"{_NOTEBOOK}.content.widgets.filter((cell) => cell.model.type === 'code').map((cell) => cell.model)"
_ENDED = f"{_CELLS}.at(-1).outputs.length > 0"
_ERRORS = f"""{_CELLS}.flatMap((cell) => cell.outputs.toJSON()).filter((each) => each.output_type === "error")
  .map((each) => each.traceback.join("\\n"))"""
_PYTHON = """new Promise((settle) => {
  const told = [], run = KERNEL.requestExecute({ code: CODE, store_history: false });
  run.onIOPub = ({ content }) => told.push(content.text ?? content.traceback?.join("\\n") ?? "");
  run.done.then(() => settle(told.join("")));
})"""


class NotebookPage(Tab):
    """A page of JupyterLab, or of Notebook 7.

    Attributes:
        fetched: every address that the page asked for, or opened a socket to.
        log: what was thrown or complained about in it.
    """

    fetched: list[str]

    def told(self, event: str, params: Mapping[str, Any]) -> None:
        """The browser fetches something."""
        if event == "Network.requestWillBeSent":
            self.fetched.append(params["request"]["url"])
        elif event == "Network.webSocketCreated":
            self.fetched.append(params["url"])

    async def begin(self, *, scheme: str, width: int) -> None:
        """Make the window what a user has, and hear what it fetches."""
        self.fetched = []
        await super().begin(scheme=scheme, width=width)
        await self.send("Network.enable")
        await self.size(width)

    async def size(self, width: int, height: int = 1000) -> None:
        """Give the window another size."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.send("Emulation.setDeviceMetricsOverride", **size)

    async def open(self, url: str) -> None:
        """Open a notebook, and wait until its kernel is connected."""
        await self.go(url)
        await self.until(_CONNECTED, seconds=60)
        await self.evaluate("void jupyterapp.shell.collapseLeft(), void jupyterapp.shell.collapseRight()")

    def outside(self, origin: str) -> list[str]:
        """What was fetched, but for the server at `origin` and what stood in the page itself."""
        own = (origin, origin.replace("http", "ws", 1), "data:", "blob:", "about:")
        return [url for url in self.fetched if not url.startswith(own)]

    # Cells

    async def run(self) -> None:
        """Run all cells, and wait until the last has ended; an error in one fails the test."""
        # Not awaited in the page: the promise resolves only when every cell has ended.
        await self.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
        await self.until(f"{_ENDED} || {_ERRORS}.length", seconds=60)
        errors = await self.evaluate(_ERRORS)
        assert not errors, re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(errors))

    async def run_cell(self, number: int) -> None:
        """Begin to run one cell, from 0 on, and do not wait for it."""
        await self.evaluate(
            f"{_NOTEBOOK}.content.activeCellIndex = {number}, void jupyterapp.commands.execute('notebook:run-cell')"
        )

    async def python(self, code: str) -> str:
        """What Python prints in the kernel, without a cell; it has to wait for the cell that runs."""
        kernel = f"{_NOTEBOOK}.sessionContext.session.kernel"
        told: str = await self.evaluate(_PYTHON.replace("KERNEL", kernel).replace("CODE", json.dumps(code)))
        return told.strip()

    # A person

    async def click(self, name: str, *, role: str = "button", within: str = ".toolkit-panel", nth: int = 0) -> None:
        """Press what assistive technology knows by its role and name, with the mouse."""
        x, y = await self._middle(await self._node(name, role, within, nth))
        mouse = {"x": x, "y": y, "button": "left", "clickCount": 1}
        await self.send("Input.dispatchMouseEvent", type="mousePressed", **mouse)
        await self.send("Input.dispatchMouseEvent", type="mouseReleased", **mouse)

    async def write(
        self, name: str, text: str, *, role: str = "textbox", within: str = ".toolkit-panel", nth: int = 0
    ) -> None:
        """Write into a field, in place of what stood there; the field keeps the focus."""
        node = await self._node(name, role, within, nth)
        field = (await self.send("DOM.resolveNode", backendNodeId=node))["object"]["objectId"]
        chosen = "function () { this.focus(); this.select(); }"
        told = await self.send("Runtime.callFunctionOn", objectId=field, functionDeclaration=chosen)
        assert "exceptionDetails" not in told, told
        await self.press(text or "Backspace")

    async def choose(self, name: str, option: str, *, within: str = ".toolkit-panel", nth: int = 0) -> None:
        """Choose from a list."""
        node = await self._node(name, "combobox", within, nth)
        resolved = await self.send("DOM.resolveNode", backendNodeId=node)
        chosen = f"""function () {{
          const texts = [...this.options].map((each) => each.text.replaceAll("\\u00a0", " "));
          const found = this.options[texts.indexOf({json.dumps(option)})];
          if (!found) throw new Error(texts.join());
          this.value = found.value;
          this.dispatchEvent(new Event("change", {{ bubbles: true }}));
        }}"""
        told = await self.send(
            "Runtime.callFunctionOn", objectId=resolved["object"]["objectId"], functionDeclaration=chosen
        )
        assert "exceptionDetails" not in told, told

    async def names(self, role: str = "button", *, within: str = ".toolkit-panel") -> list[str]:
        """The names of everything in that role, as a screen reader reads them."""
        return [node["name"]["value"] for node in await self._nodes(within, role=role)]

    async def focused(self) -> str:
        """The name of what has the focus, as a screen reader reads it."""
        found = await self.send("Runtime.evaluate", expression="document.activeElement")
        tree = await self.send(
            "Accessibility.getPartialAXTree", objectId=found["result"]["objectId"], fetchRelatives=False
        )
        name: str = tree["nodes"][0].get("name", {}).get("value", "")
        return name

    async def focuses(self, name: str) -> None:
        """Wait until what has that name has the focus."""
        with suppress(TimeoutError):
            async with asyncio.timeout(20):
                while await self.focused() != name:  # noqa: ASYNC110 - a browser moves it
                    await asyncio.sleep(0.05)
        assert await self.focused() == name

    async def sees(self, text: str, *, within: str = ".toolkit-panel", seconds: float = 20) -> None:
        """Wait until a text is there to read."""
        reads = f"(each) => each.innerText.includes({json.dumps(text)})"
        try:
            await self.until(f"[...document.querySelectorAll({json.dumps(within)})].some({reads})", seconds=seconds)
        except TimeoutError:
            pytest.fail(f"{text!r} is not in {await self.text(within)}")

    async def theme(self, scheme: str) -> None:
        """Have the page `light` or `dark`."""
        name = f"JupyterLab {scheme.capitalize()}"
        shown = f"document.body.dataset.jpThemeName === {json.dumps(name)}"
        await self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        if not await self.evaluate(shown):
            theme = json.dumps({"theme": name})
            await self.evaluate(f"void jupyterapp.commands.execute('apputils:change-theme', {theme})")
        # The splash hides the page until the sheet is there.
        await self.until(f"{shown} && !document.querySelector('#jupyterlab-splash')")
        await self.still()

    async def still(self) -> None:
        """Wait until the page has been painted, and nothing in it moves."""
        await self.evaluate(
            "new Promise((settle) => requestAnimationFrame(() => requestAnimationFrame(settle)))"
            ".then(() => Promise.all(document.getAnimations()"
            ".filter((each) => each.effect.getComputedTiming().iterations !== Infinity)"
            ".map((each) => each.finished.catch(() => 0)))).then(() => 0)"
        )

    # What is seen

    async def faults(self, within: str = ".toolkit-panel") -> list[Any]:
        """What axe-core finds wrong in part of the page, by WCAG 2 A and AA; the test is skipped without axe-core."""
        if not AXE.exists():
            pytest.skip("axe-core is not installed: python -m tests.mcp_server.conformance.node")
        if not await self.evaluate("Boolean(window.axe)"):
            await self.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
        # It does not judge the colours of what is not in view, nor of anything in a body without height, as the host's.
        await self._reveal(within)
        await self.evaluate("void (document.body.style.minHeight = '100vh')")
        options = {"runOnly": RULES, "resultTypes": ["violations"]}
        found: list[Any] = await self.evaluate(
            f"axe.run({json.dumps(within)}, {json.dumps(options)}).then((all) => all.violations.map("
            "(each) => [each.id, each.nodes.map((node) => node.html + node.failureSummary)]))"
        )
        return found

    async def cut_off(self, within: str = ".toolkit-panel") -> list[str]:
        """What reaches beyond the right edge of a part of the page, and cannot be scrolled to."""
        code = f"""(() => {{
          const whole = document.querySelector({json.dumps(within)}), edge = whole.getBoundingClientRect().right + 1;
          const scrolled = (each) => each !== whole && (getComputedStyle(each).overflowX !== "visible"
            || scrolled(each.parentElement));
          return [...whole.querySelectorAll("*")]
            .filter((each) => each.getBoundingClientRect().right > edge && each.getBoundingClientRect().width > 1)
            .filter((each) => !scrolled(each)).map((each) => each.outerHTML.slice(0, 200));
        }})()"""
        found: list[str] = await self.evaluate(code)
        return found

    async def shot(self, path: Path, within: str = ".toolkit-panel", *, margin: int = 12) -> None:
        """Keep a part of the page as a PNG."""
        x, y, width, height = await self._reveal(within)
        clip = {
            "x": x - margin,
            "y": y - margin,
            "width": width + 2 * margin,
            "height": height + 2 * margin,
            "scale": 1,
        }
        shot = await self.send("Page.captureScreenshot", format="png", clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))  # noqa: ASYNC240 - nobody waits for it

    async def _reveal(self, within: str) -> list[float]:
        """Make the window as high as it takes to see all of a part of the page; gives its x, y, width and height."""
        code = f"""(() => {{
          const element = document.querySelector({json.dumps(within)});
          element.scrollIntoView({{ block: "center" }});
          const box = element.getBoundingClientRect();
          return [box.x, box.y, box.width, box.height];
        }})()"""
        await self.still()
        *_, height = await self.evaluate(code)
        if height + 200 > await self.evaluate("innerHeight"):
            await self.size(await self.evaluate("innerWidth"), int(height) + 260)
            await self.still()
        box: list[float] = await self.evaluate(code)
        return box

    async def keep(self, folder: Path, name: str) -> str:
        """Keep the whole page as PNG and HTML, for whoever asks why a test failed; says where."""
        shot = await self.send("Page.captureScreenshot", format="png")
        html = await self.evaluate("document.documentElement.outerHTML")
        (folder / f"{quote(name)}.png").write_bytes(base64.b64decode(shot["data"]))
        (folder / f"{quote(name)}.html").write_text(html, encoding="utf-8")
        return f"The page is in {folder / quote(name)}.png and .html; it said {self.log}"

    async def _nodes(self, within: str, **wanted: str) -> list[dict[str, Any]]:
        found = await self.send("Runtime.evaluate", expression=f"document.querySelector({json.dumps(within)})")
        if "objectId" not in found["result"]:
            return []
        answer = await self.send("Accessibility.queryAXTree", objectId=found["result"]["objectId"], **wanted)
        return [node for node in answer["nodes"] if not node["ignored"]]

    async def _node(self, name: str, role: str, within: str, nth: int) -> int:
        """Wait until it is there, and say which one it is."""
        try:
            async with asyncio.timeout(20):
                while True:
                    found = await self._nodes(within, role=role, accessibleName=name)
                    if len(found) > nth:
                        number: int = found[nth]["backendDOMNodeId"]
                        return number
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"There is no {role} {name!r} in {within}, but {await self.names(role, within=within)}.")

    async def _middle(self, node: int) -> tuple[float, float]:
        await self.send("DOM.scrollIntoViewIfNeeded", backendNodeId=node)
        [quad, *_] = (await self.send("DOM.getContentQuads", backendNodeId=node))["quads"]
        return sum(quad[::2]) / 4, sum(quad[1::2]) / 4
