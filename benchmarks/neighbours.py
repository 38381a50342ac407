"""Any MCP server as a host meets it: what its list of tools costs, what it says of them, how fast it is there.

    python -m benchmarks.neighbours [--json] [NAME=COMMAND…]

    python -m benchmarks.neighbours "memory=npx -y @modelcontextprotocol/server-memory" "chroma=uvx chroma-mcp"

Each server is started by its command, this one among them, and asked on standard input and output in both eras of the
protocol. The result is a table in Markdown; a server that does not answer is named with the last thing that it said.
"""

import argparse
import json
import os
import selectors
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

HANDSHAKE, MODERN = "2025-11-25", "2026-07-28"
STARTS = 3
PATIENCE = 60.0  # seconds: more than most hosts have
BYTES_PER_TOKEN = 4
_CLIENT = {"name": "neighbours", "version": "1"}
_PREFIX = "io.modelcontextprotocol/"
_META = {f"{_PREFIX}protocolVersion": MODERN, f"{_PREFIX}clientInfo": _CLIENT, f"{_PREFIX}clientCapabilities": {}}


class NoAnswer(Exception):
    """The server ended, was silent for too long, or refused."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A server as it was met.

    Attributes:
        name: as it was given.
        version: as it says itself.
        seconds: from its start to the handshake, the median of some starts.
        eras: the revisions of the protocol that it answered in.
        tools: how many it lists.
        list_bytes: of them as JSON, without blanks.
        annotated: how many say whether they change something.
        output_schemas: how many say what they answer.
        resources: resources and templates.
        prompts: how many.
        instructions: characters.
        stray: lines on its output that were no messages.
    """

    name: str
    version: str
    seconds: float
    eras: tuple[str, ...]
    tools: int
    list_bytes: int
    annotated: int
    output_schemas: int
    resources: int
    prompts: int
    instructions: int
    stray: int


class Conversation:
    """Requests and answers with one process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        if not process.stdin or not process.stdout:
            raise RuntimeError("The server has no pipes.")
        self.stray = 0
        self._stdin, self._stdout = process.stdin, process.stdout
        self._number = 0
        self._read = b""

    @classmethod
    @contextmanager
    def started(cls, command: Sequence[str], log: Path) -> Iterator[Self]:
        """With a process of `command`, whose log goes into a file; it is ended at the end."""
        with tempfile.TemporaryDirectory() as folder, log.open("wb") as errors:
            pipe = subprocess.PIPE
            try:
                process = subprocess.Popen(list(command), stdin=pipe, stdout=pipe, stderr=errors, cwd=folder)
            except OSError as error:
                raise NoAnswer(str(error)) from error
            try:
                yield cls(process)
            finally:
                process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout):
                    if stream:
                        stream.close()

    def tell(self, method: str) -> None:
        """Send a notification."""
        self._send({"jsonrpc": "2.0", "method": method})

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result of one request.

        Raises:
            NoAnswer: there is none in time, or it is an error.
        """
        self._number += 1
        self._send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        until = time.monotonic() + PATIENCE
        while True:
            line = self._line(until)
            try:
                message = json.loads(line)
            except ValueError:
                self.stray += 1
                continue
            if isinstance(message, dict) and message.get("id") == self._number and "method" not in message:
                if "result" not in message:
                    raise NoAnswer(f"{method}: {message.get('error', {}).get('message')}")
                result: dict[str, Any] = message["result"]
                return result

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._stdin.write(json.dumps(message).encode() + b"\n")
            self._stdin.flush()
        except OSError as error:
            raise NoAnswer("it has ended") from error

    def _line(self, until: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while b"\n" not in self._read:
                if not selector.select(max(0.0, until - time.monotonic())):
                    raise NoAnswer(f"silent for {PATIENCE:g} s")
                piece = os.read(self._stdout.fileno(), 1 << 16)
                if not piece:
                    raise NoAnswer("it has ended")
                self._read += piece
        line, _, self._read = self._read.partition(b"\n")
        return line


def meet(name: str, command: Sequence[str]) -> Neighbour:
    """Everything about one server.

    Raises:
        NoAnswer: it answers in neither era; the message has the last line of its log.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        try:
            starts = [_shaken(command, log) for _ in range(STARTS - 1)]
            begun = time.monotonic()
            with Conversation.started(command, log) as server:
                about = _shake(server)
                seconds = [*starts, time.monotonic() - begun]
                listed = _lists(server, about.get("capabilities", {}))
                stray = server.stray
        except NoAnswer as error:
            last = (
                [line for line in log.read_text(errors="replace").splitlines() if line.strip()] if log.exists() else []
            )
            raise NoAnswer(f"{error}{f'; its last words: {last[-1].strip()[:160]}' if last else ''}") from error
        modern = _is_modern(command, log)
    tools = listed["tools"]
    return Neighbour(
        name=name,
        version=about.get("serverInfo", {}).get("version", ""),
        seconds=median(seconds),
        eras=(about["protocolVersion"], *([MODERN] if modern else [])),
        tools=len(tools),
        list_bytes=len(json.dumps({"tools": tools}, ensure_ascii=False, separators=(",", ":")).encode()),
        annotated=sum("readOnlyHint" in (tool.get("annotations") or {}) for tool in tools),
        output_schemas=sum(bool(tool.get("outputSchema")) for tool in tools),
        resources=len(listed["resources"]) + len(listed["resourceTemplates"]),
        prompts=len(listed["prompts"]),
        instructions=len(about.get("instructions") or ""),
        stray=stray,
    )


def _shake(server: Conversation) -> dict[str, Any]:
    hello = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": _CLIENT}
    about = server.ask("initialize", hello)
    server.tell("notifications/initialized")
    return about


def _shaken(command: Sequence[str], log: Path) -> float:
    begun = time.monotonic()
    with Conversation.started(command, log) as server:
        _shake(server)
        return time.monotonic() - begun


def _is_modern(command: Sequence[str], log: Path) -> bool:
    with Conversation.started(command, log) as server:
        try:
            return MODERN in server.ask("server/discover", {"_meta": _META}).get("supportedVersions", [])
        except NoAnswer:
            return False


def _lists(server: Conversation, capabilities: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Every page of every list that the server says it has."""
    wanted = {
        "tools": ("tools/list", "tools"),
        "resources": ("resources/list", "resources"),
        "resourceTemplates": ("resources/templates/list", "resources"),
        "prompts": ("prompts/list", "prompts"),
    }
    found: dict[str, list[dict[str, Any]]] = {key: [] for key in wanted}
    for key, (method, capability) in wanted.items():
        cursor: dict[str, Any] | None = {} if capability in capabilities else None
        while cursor is not None:
            page = server.ask(method, cursor)
            found[key] += page.get(key, [])
            cursor = {"cursor": page["nextCursor"]} if page.get("nextCursor") else None
    return found


def table(neighbours: Sequence[Neighbour]) -> str:
    """The Markdown table."""
    columns = "server, version | tools | tokens of the list | say whether they change something"
    head = f"| {columns} | output schemas | resources, prompts | instructions | start | {MODERN} |"
    lines = [head, "|---" * head.count(" |") + "|"]
    lines += [
        f"| {n.name} {n.version} | {n.tools} | {round(n.list_bytes / BYTES_PER_TOKEN):,} | {n.annotated} |"
        f" {n.output_schemas} | {n.resources}, {n.prompts} | {n.instructions:,} | {n.seconds:.2f} s |"
        f" {'yes' if MODERN in n.eras else 'no'}{f'; {n.stray} stray lines on its output' if n.stray else ''} |"
        for n in neighbours
    ]
    return "\n".join(lines)


def main() -> None:
    """Meet everybody, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.neighbours", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("servers", nargs="*", metavar="NAME=COMMAND", help="a name, and how the server is started")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    given = [each.partition("=") for each in options.servers]
    if not all(name and command for name, _, command in given):
        parser.error("Write NAME=COMMAND, in quotation marks.")
    with tempfile.TemporaryDirectory() as folder:
        ours = [sys.executable, "-m", "mcp_server", "--db", f"sqlite:///{Path(folder) / 'toolkit.db'}"]
        commands = {
            "toolkit-mcp": ours,
            "toolkit-mcp, all tools": [*ours, "--tools", "all"],
            **{name: shlex.split(command) for name, _, command in given},
        }
        met: list[Neighbour] = []
        missing: dict[str, str] = {}
        for name, command in commands.items():
            try:
                met.append(meet(name, command))
            except NoAnswer as error:
                missing[name] = str(error)
    print(table(met))
    for name, why in missing.items():
        print(f"\n{name} did not answer: {why}.")
    if options.json:
        print(json.dumps({"benchmark": "neighbours", "results": [asdict(n) for n in met], "missing": missing}))


if __name__ == "__main__":
    main()
