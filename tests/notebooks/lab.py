"""A real JupyterLab 4, and Notebook 7 beside it, in a real browser: to test panels, and to look at them.

To look at a panel, write cells, separated by lines that begin with `# %%`, and have them run:

    python -m tests.notebooks.lab cells.py out.png [--dark] [--app notebook] [--width 1280] [--within .toolkit-panel]

In them `await nb.connect("sqlite://")` finds vendors that this machine plays, and which echo what they are asked.
The picture shows the whole notebook, or what `--within` selects.

In a test (`tests/notebooks/browser/conftest.py` has the fixture `jupyter`: one server and one browser for all):

    async def test_an_answer_is_streamed(jupyter: Lab) -> None:
        connect = "import notebooks as nb\\ntk = await nb.connect('sqlite://')"
        async with jupyter.notebook(connect, "nb.ChatPanel(tk)") as page:
            jupyter.vendors.say("Paris.")
            await page.write("Message", "What is the capital of France?")  # a field by its accessible name
            await page.press("Enter")
            await page.sees("Paris.", within=".toolkit-answer")
            assert await page.faults(".toolkit-panel") == []  # axe-core
            await page.theme("dark")
            assert await page.faults(".toolkit-panel") == []
            await page.click("Copy")  # a button by its accessible name, with the mouse
            assert page.outside(jupyter.url) == []  # nothing was fetched from elsewhere

What else a page can do stands in `tests.notebooks.page`. When a test fails, its page is kept as PNG and HTML; the
error's last lines say where.
"""

import argparse
import asyncio
import json
import os
import secrets
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import aiohttp
import nbformat as untyped

from tests.browser import CHROMIUM, Browser, browser
from tests.notebooks.page import NotebookPage
from toolkit.testing.vendors import VendorServer

App = Literal["lab", "notebook"]

nbformat: Any = untyped
_END = "print('This is the end.')"  # the page waits for an output of the last cell
_PLACES = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "IPYTHONDIR": "ipython",
    "MPLCONFIGDIR": "matplotlib",
    "HOME": "home",
}
_SETTINGS: dict[str, Mapping[str, Any]] = {
    # Nothing is asked of the network, and nothing pops up.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "extensionmanager-extension/plugin": {"enabled": False},
    "docmanager-extension/plugin": {"autosave": False},
    # Every cell is in the page, also those that would have to be scrolled to.
    "notebook-extension/tracker": {"windowingMode": "none", "recordTiming": False},
}
_OURS = ("TOOLKIT_", "OPENAI_", "ANTHROPIC_", "DATABASE_URL", "GOOGLE_", "GROQ_", "FIREWORKS_", "AZURE_", "AWS_")


@dataclass
class Lab:
    """A running server, and the browser that shows it.

    Attributes:
        url: of the server.
        folder: where notebooks are, and the pages of tests that failed.
        vendors: whom the models of its kernels belong to.
    """

    url: str
    folder: Path
    vendors: VendorServer
    _browser: Browser
    _client: aiohttp.ClientSession
    _token: str
    _opened: int = field(default=0, init=False)

    @asynccontextmanager
    async def notebook(
        self, *cells: str, app: App = "lab", scheme: str = "light", width: int = 1280, run: bool = True
    ) -> AsyncIterator[NotebookPage]:
        """An open notebook with a kernel of its own, in a folder of its own, whose cells have been run.

        Args:
            cells: their sources; one that begins with `%%markdown` is such a cell.
            app: what shows it.
            scheme: `light` or `dark`.
            width: of the window, in pixels.
            run: whether the cells are run at once.
        """
        self._opened += 1
        path = self._written(cells)
        # While the page is loaded the kernel starts.
        starting = asyncio.create_task(self._start_kernel(path))
        async with self._browser.empty(NotebookPage, scheme=scheme, width=width) as page:
            try:
                session = await starting
                where = "lab/tree" if app == "lab" else "notebooks"
                await page.open(f"{self.url}/{where}/{quote(path)}?reset&token={self._token}")
                await page.theme(scheme)  # the server remembers the one of the notebook before
                if run:
                    await page.run()
                yield page
            except BaseException as error:
                error.add_note(await page.keep(self.folder, f"failed-{self._opened}"))
                raise
        async with self._client.delete(f"{self.url}/api/sessions/{session}", headers=self._headers) as answer:
            answer.raise_for_status()

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self._token}"}

    def _written(self, cells: tuple[str, ...]) -> str:
        made = [
            nbformat.v4.new_markdown_cell(source.removeprefix("%%markdown").strip())
            if source.startswith("%%markdown")
            else nbformat.v4.new_code_cell(source.strip())
            for source in (*cells, _END)
        ]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        place = self.folder / f"{self._opened}"
        place.mkdir()
        nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=kernel), place / "notebook.ipynb")
        return f"{self._opened}/notebook.ipynb"

    async def _start_kernel(self, path: str) -> str:
        body = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        async with self._client.post(f"{self.url}/api/sessions", json=body, headers=self._headers) as answer:
            answer.raise_for_status()
            started: dict[str, str] = await answer.json()
        return started["id"]


@asynccontextmanager
async def lab(folder: Path, vendors: VendorServer) -> AsyncIterator[Lab]:
    """A server that keeps everything in `folder`, asks nothing of the network, and ends at the end.

    Args:
        folder: an empty one.
        vendors: whom the models of its kernels are to belong to; they are running.
    """
    port, token, root = _free_port(), secrets.token_hex(16), folder / "notebooks"
    root.mkdir()
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as client, browser(folder) as running:
        with (folder / "server.log").open("wb") as log:
            server = await asyncio.create_subprocess_exec(
                *_command(root, port, token),
                cwd=root,
                env=_environment(folder, vendors.environ()),
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt of the tests is not its own
            )
        try:
            await _until_ready(server, client, f"{url}/api/status?token={token}", folder / "server.log")
            yield Lab(url, root, vendors, running, client, token)
        finally:
            await _end(server)


def unconfigured() -> dict[str, str]:
    """The environment of this process without what configures the toolkit."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


def _command(root: Path, port: int, token: str) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}", "--ServerApp.terminals_enabled=False"),
        *("--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True"),
        *("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
        "--LabApp.extension_manager=readonly",
    ]


def _environment(folder: Path, vendors: Mapping[str, str]) -> dict[str, str]:
    """As on a machine where Jupyter was never used, and where the vendors are ours."""
    for place in _PLACES.values():
        (folder / place).mkdir(parents=True, exist_ok=True)
    for name, value in _SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value), encoding="utf-8")
    return unconfigured() | {name: str(folder / place) for name, place in _PLACES.items()} | dict(vendors)


async def _until_ready(server: Process, client: aiohttp.ClientSession, url: str, log: Path) -> None:
    async with asyncio.timeout(60):
        while True:
            assert server.returncode is None, log.read_text(encoding="utf-8")  # noqa: ASYNC240 - it ends here
            try:
                async with client.get(url) as answer:
                    answer.raise_for_status()
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


async def _end(server: Process) -> None:
    """End the server, which ends its kernels; one that does not want to is ended with them."""
    if server.returncode is None:
        server.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(20):
                await server.wait()
        except TimeoutError:
            os.killpg(server.pid, signal.SIGKILL)
            await server.wait()


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


def _sources(text: str) -> list[str]:
    """The cells of a script: a line that begins with `# %%` begins one."""
    cells: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("# %%"):
            cells.append([])
        else:
            cells[-1].append(line)
    return [source for cell in cells if (source := "\n".join(cell).strip())]


async def _picture(given: argparse.Namespace) -> None:
    scheme = "dark" if given.dark else "light"
    with tempfile.TemporaryDirectory() as folder, VendorServer() as vendors:
        async with lab(Path(folder), vendors) as jupyter:
            cells = _sources(given.cells.read_text(encoding="utf-8"))
            async with jupyter.notebook(*cells, app=given.app, scheme=scheme, width=given.width) as page:
                await page.shot(given.out, given.within)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Show a notebook in a real JupyterLab, and keep a picture of it.")
    parser.add_argument("cells", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--app", choices=("lab", "notebook"), default="lab")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--within", default=".jp-Notebook")
    given = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("There is no chromium to show a page.")
    asyncio.run(_picture(given))


if __name__ == "__main__":
    _main()
