"""A real browser without a window, driven by its own protocol: pages in it, and a host that shows a panel."""

import asyncio
import base64
import json
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")

# What the specification has hosts apply where a page names no domains.
_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self' data:; connect-src 'none'"
)
_HOST = """<!DOCTYPE html><meta charset="utf-8"><style>body {{ margin: 0 }} iframe {{ border: 0; width: 100% }}</style>
<iframe id="panel" sandbox="allow-scripts" title="panel"></iframe>
<script>
const heard = [], panel = document.getElementById("panel"), context = {context};
function tell(message) {{ panel.contentWindow.postMessage({{ jsonrpc: "2.0", ...message }}, "*"); }}
window.addEventListener("message", ({{ source, data }}) => {{
  if (source !== panel.contentWindow) return;
  heard.push(data);
  if (data.method === "ui/initialize") {{
    const result = {{ protocolVersion: "2026-01-26", hostInfo: {{ name: "test", version: "1" }} }};
    tell({{ id: data.id, result: {{ ...result, hostCapabilities: {{ serverTools: {{}} }}, hostContext: context }} }});
  }}
  if (data.method === "tools/call") callServer(JSON.stringify(data));
  if (data.method === "ui/notifications/size-changed") panel.style.height = data.params.height + "px";
}});
panel.srcdoc = {panel};
</script>
"""

_KEYS = {
    "Tab": (9, ""),
    "Enter": (13, "\r"),
    "Escape": (27, ""),
    "Space": (32, " "),
    "ArrowDown": (40, ""),
    "Backspace": (8, ""),
}
"""Keys by name: their number, and what they type."""

AnyTab = TypeVar("AnyTab", bound="Tab")
CallTool = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class Tab:
    """A page in the browser.

    Args:
        connection: to the browser.
        session: of the tab, as the browser's protocol calls it.
    """

    def __init__(self, connection: aiohttp.ClientWebSocketResponse, session: str) -> None:
        self._connection = connection
        self._session = session
        self._number = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._contexts: dict[str, int] = {}
        self.log: list[str] = []

    async def send(self, method: str, **params: Any) -> Any:
        """One command of the browser's protocol."""
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        message = {"id": self._number, "method": method, "params": params, "sessionId": self._session}
        await self._connection.send_json(message)
        async with asyncio.timeout(20):
            return await answer

    async def listen(self) -> None:
        """Take what the browser says, until it is gone."""
        async for message in self._connection:
            data = json.loads(message.data)
            params = data.get("params", {})
            answer = self._answers.pop(data.get("id"), None)
            if answer and not answer.done():
                answer.set_result(data.get("result", data))
            elif data.get("method") == "Runtime.executionContextCreated":
                context = params["context"]
                self._contexts[context["auxData"]["frameId"]] = context["id"]
            elif data.get("method") == "Runtime.bindingCalled":
                self.called(json.loads(params["payload"]))
            elif data.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"):
                self.log.append(json.dumps(params))
            else:
                self.told(data.get("method", ""), params)

    def told(self, event: str, params: Mapping[str, Any]) -> None:
        """The browser tells of something else."""

    def called(self, request: Mapping[str, Any]) -> None:
        """The page calls a function of ours."""
        raise NotImplementedError(request)

    async def begin(self, *, scheme: str, width: int) -> None:
        """Make the window what a user has, and hear what goes wrong in it."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.send("Emulation.setEmulatedMedia", features=features)
        size = {"width": width, "height": 700, "deviceScaleFactor": 1, "mobile": False}
        await self.send("Emulation.setDeviceMetricsOverride", **size)
        for domain in ("Page", "Runtime", "Log"):
            await self.send(f"{domain}.enable")

    async def go(self, url: str) -> None:
        """Open a page, and wait until it is there."""
        await self.evaluate("window.left = true")
        await self.send("Page.navigate", url=url)
        await self.arrived()

    async def arrived(self) -> None:
        """Wait until the page on which `window.left` was set has gone, and the next one is there."""
        await self.until("!window.left && document.readyState === 'complete'")

    async def press(self, *keys: str) -> None:
        """Press keys of the keyboard, one after another: by name, or characters."""
        for key in keys:
            named = _KEYS.get(key)
            if named is None:
                await self.send("Input.insertText", text=key)
                continue
            code, text = named
            await self.send(
                "Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, text=text
            )
            await self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    async def evaluate(self, code: str, *, within: str = "page") -> Any:
        """What JavaScript gives, in the `page`, or in the `panel` that it shows."""
        tree = (await self.send("Page.getFrameTree"))["frameTree"]
        frame = tree["childFrames"][0]["frame"] if within == "panel" else tree["frame"]
        context = self._contexts[frame["id"]]
        answer = await self.send(
            "Runtime.evaluate", expression=code, contextId=context, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, code: str, *, within: str = "page", seconds: float = 20) -> None:
        """Wait until JavaScript gives something that is true, so many seconds at most."""
        async with asyncio.timeout(seconds):
            while True:
                with suppress(KeyError, AssertionError):  # the page is not there yet
                    if await self.evaluate(f"Boolean({code})", within=within):
                        return
                await asyncio.sleep(0.02)

    async def text(self, selector: str) -> list[str]:
        """What a person reads in each element."""
        code = f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.innerText)"
        found: list[str] = await self.evaluate(code)
        return found

    async def picture(self, path: Path, *, height: str = "document.documentElement.scrollHeight") -> None:
        """Keep what is seen as a PNG, as high as JavaScript says."""
        size = await self.evaluate(height, within="host")
        clip = {"x": 0, "y": 0, "width": await self.evaluate("innerWidth"), "height": size, "scale": 1}
        shot = await self.send("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))  # noqa: ASYNC240 - nobody waits for it


class Panel(Tab):
    """A panel, shown by a host in the browser.

    Args:
        connection: to the browser.
        session: of the tab, as the browser's protocol calls it.
        call: what the host does when the panel calls a tool; gives a result as JSON.
    """

    def __init__(self, connection: aiohttp.ClientWebSocketResponse, session: str, call: CallTool) -> None:
        super().__init__(connection, session)
        self._call = call
        self._tasks: set[asyncio.Task[None]] = set()

    def called(self, request: Mapping[str, Any]) -> None:
        """The panel calls a tool."""
        task = asyncio.create_task(self._answer(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: Mapping[str, Any]) -> None:
        result = await self._call(request["params"]["name"], request["params"]["arguments"])
        await self.tell(id=request["id"], result=result)

    async def show(self, host: Path) -> None:
        """Open the host's page, and wait until the panel has shaken hands."""
        await self.send("Runtime.addBinding", name="callServer")
        await self.send("Page.navigate", url=host.as_uri())
        await self.until("heard.some((each) => each.method === 'ui/notifications/initialized')", within="host")

    async def tell(self, **message: Any) -> None:
        """Have the host send the panel a message."""
        await self.evaluate(f"tell({json.dumps(message)})", within="host")

    async def evaluate(self, code: str, *, within: str = "panel") -> Any:
        """What JavaScript gives, in the `panel` or in the `host` around it."""
        return await super().evaluate(code, within=within)

    async def until(self, code: str, *, within: str = "panel", seconds: float = 20) -> None:
        """Wait until JavaScript gives something that is true, so many seconds at most."""
        await super().until(code, within=within, seconds=seconds)

    async def picture(self, path: Path, *, height: str = "panel.getBoundingClientRect().bottom") -> None:
        """Keep what is seen as a PNG."""
        await super().picture(path, height=height)


class Browser:
    """A running browser, with a tab for each panel.

    Args:
        connect: gives a connection to it.
        folder: where pages of hosts are written.
    """

    def __init__(self, connect: Callable[[], Awaitable[aiohttp.ClientWebSocketResponse]], folder: Path) -> None:
        self._connect = connect
        self._folder = folder
        self._shown = 0

    @asynccontextmanager
    async def panel(
        self,
        html: str,
        call: CallTool,
        *,
        context: Mapping[str, Any] | None = None,
        scheme: str = "light",
        width: int = 800,
    ) -> AsyncIterator[Panel]:
        """A panel in a tab of its own.

        Args:
            html: its page.
            call: as of `Panel`.
            context: what the host says of itself.
            scheme: what the user prefers, `light` or `dark`.
            width: of the window, in pixels.
        """
        guarded = html.replace("<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{_POLICY}">')
        self._shown += 1
        host = self._folder / f"host{self._shown}.html"
        embedded = json.dumps(guarded).replace("</", "<\\/")
        host.write_text(_HOST.format(context=json.dumps(dict(context or {})), panel=embedded), encoding="utf-8")
        async with self.empty(lambda to, session: Panel(to, session, call), scheme=scheme, width=width) as panel:
            await panel.show(host)
            yield panel

    @asynccontextmanager
    async def tab(self, url: str, *, scheme: str = "light", width: int = 1200) -> AsyncIterator[Tab]:
        """A page of a server of this machine, in a tab of its own; the arguments as of `panel`."""
        async with self.empty(Tab, scheme=scheme, width=width) as tab:
            await tab.go(url)
            yield tab

    @asynccontextmanager
    async def empty(
        self,
        kind: Callable[[aiohttp.ClientWebSocketResponse, str], AnyTab],
        *,
        scheme: str = "light",
        width: int = 1200,
    ) -> AsyncIterator[AnyTab]:
        """An empty page in a tab of its own: what `kind` makes of the connection and the tab's session."""
        async with self._target() as (connection, session):
            tab = kind(connection, session)
            async with _listening(tab):
                await tab.begin(scheme=scheme, width=width)
                yield tab

    @asynccontextmanager
    async def _target(self) -> AsyncIterator[tuple[aiohttp.ClientWebSocketResponse, str]]:
        connection = await self._connect()
        target = (await _ask(connection, 1, "Target.createTarget", url="about:blank"))["targetId"]
        attached = await _ask(connection, 2, "Target.attachToTarget", targetId=target, flatten=True)
        try:
            yield connection, attached["sessionId"]
        finally:
            # Not `Page.close`, at which a page with something unsaved would ask, and stay.
            await _ask(connection, 3, "Target.closeTarget", targetId=target)
            await connection.close()


@asynccontextmanager
async def _listening(tab: Tab) -> AsyncIterator[None]:
    listening = asyncio.create_task(tab.listen())
    try:
        yield
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Browser]:
    """A browser that has everything in `folder`, and no network but this machine."""
    assert CHROMIUM
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-features=IsolateSandboxedIframes",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder / 'profile'}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        told = folder / "profile" / "DevToolsActivePort"
        async with asyncio.timeout(30):
            while not (told.exists() and len(told.read_text(encoding="utf-8").splitlines()) == 2):  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.05)
        port, path = told.read_text(encoding="utf-8").splitlines()
        async with aiohttp.ClientSession() as client:
            yield Browser(lambda: client.ws_connect(f"http://127.0.0.1:{port}{path}", max_msg_size=0), folder)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _ask(connection: aiohttp.ClientWebSocketResponse, number: int, method: str, **params: Any) -> Any:
    await connection.send_json({"id": number, "method": method, "params": params})
    async with asyncio.timeout(20):
        while (answer := await connection.receive_json()).get("id") != number:
            pass
    return answer["result"]
