"""What `toolkit demo` shows: documents read in, an MCP server asked, a vendor that fails and the next that answers.

Everything is the toolkit as it is: the server is a process of its own, the client is the MCP SDK's, the vendors'
SDKs make the calls. Only the vendors are stand-ins on this machine, and what they say is written here.
"""

import asyncio
import re
import shutil
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters, stdio_client
from mcp.types import CallToolResult, Implementation, TextContent

import toolkit
from toolkit.cli import terminal
from toolkit.cli.chat import provenance
from toolkit.cli.config import host_json
from toolkit.cli.documents import read_in
from toolkit.cli.sessions import show_attempts, show_message
from toolkit.cli.usage import show_usage
from toolkit.errors import ToolError, ToolkitError
from toolkit.models.candidates import KEPT_SECONDS
from toolkit.search.documents import Document
from toolkit.settings import Settings
from toolkit.testing.vendors import Fault, VendorServer
from toolkit.toolkit import Toolkit

ORIGIN = "toolkit-demo"
_DOCS = "docs"  # the collection that is asked; the source has one of its own, as it holds the questions below
_QUESTION = "Does it work without a key?"
_FIRST_MESSAGE = "In one sentence: why is it good to have a second vendor?"
_FIRST_ANSWER = "Because the best model is the one that answers, and no single vendor always does."
_SECOND_MESSAGE = "And if a vendor dies in the middle of its answer?"
_SECOND_ANSWER = ("Then what was said so far is kept,", " and the next model goes on from there.")
_OVERLOADED = Fault.status(503, "Overloaded, as the demo told it to be")
_VENDORS = ("openai", "anthropic")
_CUT, _WHOLE = 7, 16  # lines of a tool's result that are shown


class Demonstration:
    """One showing, in a folder that belongs to it.

    Args:
        folder: where the database is put.
        path: what to read in; None is the toolkit itself.
        question: what to ask; None is something that the documents can answer.
        kept: whether the folder stays afterwards.
    """

    def __init__(self, folder: Path, path: Path | None, question: str | None, *, kept: bool) -> None:
        self._url = f"sqlite:///{folder / 'toolkit.db'}"
        self._folder = folder
        self._corpora = {_DOCS: [path]} if path else own_corpora()
        self._question = question or (_something_in(path) if path else _QUESTION)
        self._kept = kept
        self._begun = time.perf_counter()

    async def run(self) -> None:
        """Show it all; what was started is ended, whatever happens.

        Raises:
            ToolkitError: something did not work; the message says what.
        """
        try:
            await self._run()
        except ExceptionGroup as failures:  # the client's connection is a task group
            raise self._plain(failures) from failures

    def _plain(self, failure: Exception) -> ToolkitError:
        """A failure while the server was running as what a person must know."""
        while isinstance(failure, ExceptionGroup):
            failure = failure.exceptions[0]
        if isinstance(failure, ToolkitError):
            return failure
        log = (self._folder / "server.log").read_text(encoding="utf-8").strip()
        return ToolError(f"The server broke off ({failure}); its log ends: {log[-400:] or 'it is empty'}.")

    async def _run(self) -> None:
        terminal.say("toolkit demo: documents, an MCP server, and models that fall back to one another.", "bold")
        terminal.say("It needs no key and no network, and reads none of your variables.")
        # The stand-ins' variables are the whole environment: a key of the user's own is never used here.
        async with VendorServer() as vendors:
            settings = Settings.from_env(vendors.environ(), database_url=self._url)
            async with Toolkit.open(settings=settings) as tk:
                await self._read_documents(tk)
                session = (await tk.sessions.create(title="toolkit demo", origin=ORIGIN)).id
                async with self._server(vendors) as client:
                    await self._list_tools(client)
                    await self._ask_documents(tk, client, session)
                    await self._lose_a_vendor(tk, client, vendors, session)
                await self._lose_a_vendor_halfway(tk, vendors, session)
                await self._read_back(tk, session)
        self._say_what_is_next(session)

    async def _read_documents(self, tk: Toolkit) -> None:
        terminal.title("1  Read documents into a new SQLite file")
        for collection, sources in self._corpora.items():
            begun = time.perf_counter()
            report = await read_in(tk, sources, collection)
            terminal.say(
                f"{collection}: {terminal.count(report.documents, 'document')} "
                f"in {terminal.count(report.chunks, 'passage')}, {time.perf_counter() - begun:.1f} s"
            )

    @asynccontextmanager
    async def _server(self, vendors: VendorServer) -> AsyncIterator[Client]:
        """`toolkit-mcp` as a child process, as an agent host would start it."""
        terminal.title("2  Start toolkit-mcp as an agent host does, and connect to it")
        # The working directory is the demo's own: a `.env` of the user's would be read otherwise.
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "mcp_server", "--db", self._url],
            env=vendors.environ() | _import_path(),
            cwd=self._folder,
        )
        us = Implementation(name=ORIGIN, version=toolkit.__version__)
        with (self._folder / "server.log").open("w", encoding="utf-8") as log:
            begun = time.perf_counter()
            async with Client(stdio_client(command, errlog=log), client_info=us) as client:
                terminal.say(
                    f"A child process, MCP {client.protocol_version} over stdio; "
                    f"{(time.perf_counter() - begun) * 1000:,.0f} ms from its start to the end of the handshake."
                )
                yield client

    async def _list_tools(self, client: Client) -> None:
        listed = (await client.list_tools()).tools
        sizes = [len(tool.model_dump_json(by_alias=True, exclude_none=True).encode()) for tool in listed]
        terminal.table(
            ["Tool", "For", "Tokens"],
            [[tool.name, tool.title or "", f"{size // 4:,}"] for tool, size in zip(listed, sizes, strict=True)],
            right=["Tokens"],
        )
        terminal.say(f"Together they take {sum(sizes) // 4:,} tokens of the host's context (bytes / 4).")

    async def _ask_documents(self, tk: Toolkit, client: Client, session: str) -> None:
        terminal.title("3  Search the documents, and ask them")
        terminal.say("No vendor is enabled: the embedded model quotes the sentences that answer best.")
        await _enable_vendors(tk, enabled=False)
        await _call(client, "list_collections", _CUT)
        found = await _call(client, "semantic_search", _CUT, query=self._question, collection=_DOCS, top_k=3)
        hits = (found.structured_content or {}).get("hits") or []
        if hits:
            await _call(client, "get_chunk", _CUT, chunk_id=hits[0]["chunk_id"])
        await _call(client, "ask", _WHOLE, question=self._question, collection=_DOCS, session=session)

    async def _lose_a_vendor(self, tk: Toolkit, client: Client, vendors: VendorServer, session: str) -> None:
        terminal.title("4  A vendor fails, and the next one answers")
        await _enable_vendors(tk, enabled=True)
        chain = ", ".join(f"{model.name} ({model.provider})" for model in await tk.models.chain())
        terminal.say(
            f"Two vendors are enabled now, and half a second later the running server sees it. The chain: {chain}."
        )
        terminal.say(
            "Both vendors are a stand-in on this machine: it speaks their wire, and what it says is written in the "
            "demo. What calls it is real: their SDKs, the retries, the chain, the ledger, the price list."
        )
        terminal.say("OpenAI is told to answer 503.")
        vendors.fail("openai", _OVERLOADED)
        vendors.say(_FIRST_ANSWER, vendor="anthropic")
        await _call(client, "chat", _WHOLE, message=_FIRST_MESSAGE, session=session)

    async def _lose_a_vendor_halfway(self, tk: Toolkit, vendors: VendorServer, session: str) -> None:
        terminal.title("5  A vendor dies in the middle of a stream, and the next one goes on")
        terminal.say("The server has ended. The same session goes on in this process: `tk.stream(…, session=…)`.")
        terminal.say(f"OpenAI is back, and told to drop the connection after {len(_SECOND_ANSWER[0].split())} words.")
        vendors.recover()
        vendors.fail("openai", Fault.cut(after=len(_SECOND_ANSWER[0].split())))
        vendors.say("".join(_SECOND_ANSWER), vendor="openai")
        vendors.say(_SECOND_ANSWER[1], vendor="anthropic")
        terminal.say()
        terminal.say(f"▸ {_SECOND_MESSAGE}", "bold")
        terminal.piece("  ")
        reply = None
        async for delta in tk.stream(_SECOND_MESSAGE, session=session, origin=ORIGIN):
            terminal.piece(delta.text)
            reply = delta.reply
        terminal.say()
        if reply:
            _show("(" + provenance(reply) + ")", _WHOLE)

    async def _read_back(self, tk: Toolkit, session: str) -> None:
        terminal.title("6  What was kept: the session, who was asked, and what it cost")
        for message in await tk.sessions.messages(session):
            show_message(message)
        terminal.title("Attempts")
        calls = await tk.usage.calls(session_id=session)
        show_attempts(calls[::-1])
        terminal.title("Usage")
        show_usage("model", await tk.usage.by("model", days=1))

    def _say_what_is_next(self, session: str) -> None:
        terminal.title("7  What to type next")
        terminal.say("An agent host starts the server with this; `toolkit config HOST` writes it for each of them.")
        terminal.say(host_json(), "dim")
        for command, what in self._commands(session):
            terminal.say(f"  {command:<42} {what}")
        terminal.say()
        terminal.say(f"Done in {time.perf_counter() - self._begun:.1f} s.", "bold green")

    def _commands(self, session: str) -> Sequence[tuple[str, str]]:
        commands = [
            ("toolkit ingest PATH…", "read your own documents"),
            ("toolkit chat", "talk to a model; set OPENAI_API_KEY or ANTHROPIC_API_KEY first"),
            ("toolkit doctor", "what is configured, and what works"),
        ]
        if own_checkout():
            commands.append(("notebooks/01_first_answer.ipynb", "the same in a notebook"))
            commands.append(("make test", "every test, on SQLite and on a real Postgres"))
        else:
            commands.append(("import notebooks as nb", "the same in a notebook: tk = await nb.connect()"))
        if self._kept:
            commands.append((f"toolkit sessions show {session} --db {self._url}", "this conversation"))
        return commands


async def _enable_vendors(tk: Toolkit, *, enabled: bool) -> None:
    for provider in _VENDORS:
        for row in await tk.models.list(provider=provider):
            await tk.models.set(row.name, enabled=enabled, by=ORIGIN)
    await asyncio.sleep(KEPT_SECONDS)  # the server goes by what it read last


async def _call(client: Client, tool: str, most_lines: int, **arguments: Any) -> CallToolResult:
    """Call a tool as a host does, and show what its model reads."""
    terminal.say()
    terminal.say(f"▸ {tool}({', '.join(f'{name}={value!r}' for name, value in arguments.items())})", "bold")
    result = await client.call_tool(tool, arguments)
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    if result.is_error:
        raise ToolError(f"The server's {tool} failed: {text}")
    _show(text, most_lines)
    return result


def _show(text: str, most_lines: int) -> None:
    """Show a text indented, and its first lines only if it is long."""
    width = min(100, shutil.get_terminal_size((100, 24)).columns) - 2
    lines = [part for line in text.splitlines() if line.strip() for part in textwrap.wrap(line, width)]
    for line in lines[:most_lines]:
        terminal.say(f"  {line}")
    if len(lines) > most_lines:
        terminal.say(f"  … {terminal.count(len(lines) - most_lines, 'more line')}", "dim")


def _something_in(path: Path) -> str:
    """A question that documents at `path` can answer: about the first heading, or about what the file is called."""
    pages = [path] if path.is_file() else sorted(path.glob("*.md")) or sorted(path.glob("*/*.md"))
    text = pages[0].read_text(encoding="utf-8", errors="replace") if pages else ""
    heading = re.search(r"^# +(.+)$", text, re.MULTILINE)
    return f"What is said about {heading[1].strip() if heading else path.absolute().stem}?"


def own_checkout() -> Path | None:
    """The folder of the project, where the package runs from one."""
    folder = Path(toolkit.__file__).resolve().parent.parent
    return folder if (folder / "pyproject.toml").is_file() else None


def own_corpora() -> dict[str, list[Path | Document]]:
    """The project's own documentation and source; of an installed package the README and the source."""
    checkout = own_checkout()
    if checkout:
        documents = [checkout / name for name in ("README.md", "CHANGELOG.md", "docs")]
        source = [checkout / name for name in ("toolkit", "mcp_server", "notebooks", "migrations")]
        return {
            _DOCS: [path for path in documents if path.exists()],
            "source": [path for path in source if path.exists()],
        }
    packages = Path(toolkit.__file__).resolve().parent.parent
    return {
        _DOCS: [Document("README.md", _readme(), kind="markdown")],
        "source": [path for name in ("toolkit", "mcp_server", "notebooks") if (path := packages / name).is_dir()],
    }


def _readme() -> str:
    """The project's first page, which an installed package carries in its metadata."""
    try:
        page = metadata("toolkit-mcp").json.get("description")
    except PackageNotFoundError:
        page = None
    return page if isinstance(page, str) and page.strip() else str(toolkit.__doc__)


def _import_path() -> dict[str, str]:
    """What lets the child find the packages of a checkout that was not installed."""
    checkout = own_checkout()
    return {"PYTHONPATH": str(checkout)} if checkout else {}
