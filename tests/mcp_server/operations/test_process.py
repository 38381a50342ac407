"""The real command as a process: what it logs, where its spans go, and how it ends."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Self

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.mcp_server.serving import over_http
from toolkit import Toolkit
from toolkit.testing.faults import Fault
from toolkit.testing.vendors import VendorServer

QUESTION = "How do you say goodbye on the moon, where nobody hears it?"


class Collector:
    """A collector of OpenTelemetry over HTTP that keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                assert self.path == "/v1/traces"
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    collector.services |= {
                        a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
                    }
                    collector.spans += [span for scope in resource.scope_spans for span in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def vendors() -> Iterator[VendorServer]:
    with VendorServer() as server:
        yield server


@pytest.fixture
def env(vendors: VendorServer) -> dict[str, str]:
    vendors.recover()
    vendors.requests.clear()
    return {**vendors.environ(), "TOOLKIT_LOG_FORMAT": "json", "TOOLKIT_LOG_LEVEL": "INFO"}


@asynccontextmanager
async def streaming(http: httpx2.AsyncClient, **more: Any) -> AsyncIterator[AsyncIterator[str]]:
    """The lines of an answer that has begun."""
    body = {"messages": [{"role": "user", "content": QUESTION}], "stream": True, **more}
    async with http.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.status_code == 200
        lines = answer.aiter_lines()
        await anext(lines)
        yield lines


async def ended(process: "subprocess.Popen[str]") -> str:
    """The log of a process that ends by itself."""
    _, log = await asyncio.to_thread(process.communicate, timeout=30)
    return log


async def test_a_stream_under_way_is_finished_and_kept_while_probes_hear_that_the_server_ends(
    env: dict[str, str], vendors: VendorServer, database: str
) -> None:
    with (
        Collector() as collector,
        over_http(
            database, env={**env, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "moonbase"}
        ) as (process, url),
    ):
        async with httpx2.AsyncClient(base_url=url, timeout=20) as http:
            assert (await http.get("/health/ready", headers={"x-request-id": "probe-1"})).status_code == 200
            session = (await http.post("/v1/sessions", json={})).json()["id"]
            vendors.say("One after the other, word by word, until the very last one of them is said.")
            vendors.fail("openai", Fault.drip(0.1), times=1)
            async with streaming(http, session_id=session) as lines:
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(10):
                    while (await http.get("/health")).status_code == 200 and (  # noqa: ASYNC110 - another process is asked
                        ready := await http.get("/health/ready")
                    ).status_code == 200:
                        await asyncio.sleep(0.01)
                refused = await http.get("/v1/models")
                rest = [line async for line in lines]
        log = await ended(process)

    assert ready.json()["checks"]["ending"]["message"] == "The server was told to end."
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "data: [DONE]" in rest
    assert process.returncode == 0
    async with Toolkit.open(database) as tk:
        assert (await tk.sessions.messages(session))[-1].text.endswith("the very last one of them is said.")
        assert len(await tk.usage.calls()) == 1
    _is_well_written(log)
    _has_spans(collector)


def _is_well_written(log: str) -> None:
    """The log of the process after its first line, which said where it serves."""
    lines = [json.loads(line) for line in log.splitlines()]
    assert all({"time", "level", "logger", "message", "request_id"} <= line.keys() for line in lines)
    access = {
        (line["method"], line["route"], line["status"]): line for line in lines if line["logger"] == "mcp_server.access"
    }
    assert access["GET", "/health/ready", 200]["request_id"] == "probe-1"
    assert access["POST", "/v1/chat/completions", 200]["milliseconds"] > 0
    assert ("GET", "none", 503) in access
    assert "moon" not in log
    assert "Traceback" not in log


def _has_spans(collector: Collector) -> None:
    """The last ones came, too: the process sent them before it ended."""
    assert collector.services == {"moonbase"}
    spans = {span.name: span for span in collector.spans}
    chats = [span for name, span in spans.items() if name.startswith("chat ")]
    assert [chat.parent_span_id for chat in chats] == [spans["POST /v1/chat/completions"].span_id]
    assert {a.key: a.value.string_value for a in chats[0].attributes}["gen_ai.provider.name"] == "openai"


async def test_a_second_signal_ends_it_at_once_and_in_order(
    env: dict[str, str], vendors: VendorServer, tmp_path: Path
) -> None:
    vendors.fail("openai", Fault.hang())
    vendors.fail("anthropic", Fault.hang())
    with over_http(f"sqlite:///{tmp_path / 'toolkit.db'}", env={**env, "TOOLKIT_GRACE_SECONDS": "3600"}) as (
        process,
        url,
    ):
        async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
            body = {"messages": [{"role": "user", "content": QUESTION}]}
            asked = asyncio.create_task(http.post("/v1/chat/completions", json=body))
            while not vendors.requests:  # noqa: ASYNC110 - another thread is asked
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            while (await http.get("/health/ready")).status_code == 200:  # noqa: ASYNC110 - another process is asked
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            answer = await asked
        log = await ended(process)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["x-request-id"]
    assert process.returncode == 0
    assert "Traceback" not in log
    async with Toolkit.open(f"sqlite:///{tmp_path / 'toolkit.db'}") as tk:
        assert [call.status for call in await tk.usage.calls()] == ["cancelled"]


async def test_what_outlasts_the_grace_is_cut_short(env: dict[str, str], vendors: VendorServer, tmp_path: Path) -> None:
    vendors.fail("openai", Fault.stall(3), times=1)
    with over_http(f"sqlite:///{tmp_path / 'toolkit.db'}", env={**env, "TOOLKIT_GRACE_SECONDS": "0"}) as (process, url):
        async with httpx2.AsyncClient(base_url=url, timeout=30) as http, streaming(http) as lines:
            process.send_signal(signal.SIGTERM)
            with pytest.raises(httpx2.RemoteProtocolError):
                [line async for line in lines]
        log = await ended(process)
    assert process.returncode == 0
    assert "Traceback" not in log


def test_where_spans_shall_go_and_nothing_sends_them_it_says_what_to_install() -> None:
    blocked = "import sys; sys.modules['opentelemetry.sdk.trace'] = None; from mcp_server.__main__ import main; main()"
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with (
        pytest.raises(AssertionError, match=r"pip install 'toolkit-mcp\[otel\]'"),
        over_http("sqlite://", command=[sys.executable, "-c", blocked], env=away),
    ):
        pass
