"""Spans are made where somebody collects them."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mcp.server import Server
from mcp.server.context import CallNext, HandlerResult
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode

from mcp_server.operations import tracing
from tests.mcp_server.operations.conftest import Inside
from toolkit.testing.faults import Fault

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Where all spans of a test go."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


def named(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


async def test_a_chat_over_http_is_a_span_below_its_callers_with_one_below_it_for_each_model(
    inside: Inside, spans: InMemorySpanExporter
) -> None:
    inside.vendors.fail("openai", Fault.status(401, "Who are you?"))
    answer = await inside.http.post(
        "/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "What is the password of the moon?"}]},
        headers={"traceparent": f"00-{TRACE}-{CALLER}-01"},
    )
    assert answer.status_code == 200
    found = named(spans)
    request, failed, answered = (
        found["POST /v1/chat/completions"],
        found["chat gpt-4o-mini"],
        found["chat claude-haiku-4-5"],
    )
    assert request.kind is SpanKind.SERVER
    assert request.context is not None
    assert request.parent is not None
    assert (f"{request.context.trace_id:032x}", f"{request.parent.span_id:016x}") == (TRACE, CALLER)
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200
    for span in (failed, answered):
        assert span.kind is SpanKind.CLIENT
        assert span.parent is not None
        assert span.parent.span_id == request.context.span_id
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.end_time > span.start_time
    usage = answer.json()["usage"]
    assert dict(answered.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-haiku-4-5",
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "toolkit.model": "small",
    }
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes is not None
    assert failed.attributes["error.type"] == "AuthenticationFailed"
    assert failed.attributes["server.address"] == "127.0.0.1"
    assert not any("moon" in span.to_json() for span in spans.get_finished_spans())


async def test_a_tool_and_vectors_have_spans_of_their_own(inside: Inside, spans: InMemorySpanExporter) -> None:
    await inside.tk.tools.call("list_collections", {})
    await inside.tk.embed(["a boat"], model="openai/text-embedding-3-small")
    found = named(spans)
    tool, vectors = found["execute_tool list_collections"], found["embeddings text-embedding-3-small"]
    assert dict(tool.attributes or {}) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "list_collections",
    }
    assert (vectors.attributes or {})["gen_ai.operation.name"] == "embeddings"


async def test_a_request_that_fails_for_the_servers_reasons_is_an_error(
    inside: Inside, spans: InMemorySpanExporter
) -> None:
    for vendor in ("openai", "anthropic"):
        inside.vendors.fail(vendor, Fault.status(401, "Who are you?"))
    assert (await inside.chat("Anyone?")).status_code >= 500
    assert named(spans)["POST /v1/chat/completions"].status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("collected", [False, True])
async def test_a_span_is_made_only_where_a_provider_takes_it(collected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def make(ctx: Any, call_next: CallNext) -> HandlerResult:
        made.append(ctx.method)
        return await call_next(ctx)

    async def answer(_ctx: Any) -> HandlerResult:
        return {"answer": True}

    made: list[str] = []
    server: Server[Any] = Server("any")
    server.middleware[:] = [make]
    tracing.where_collected(server)
    if collected:
        monkeypatch.setattr(tracing, "get_tracer_provider", NoOpTracerProvider)
    [spans] = server.middleware
    assert await spans(cast(Any, SimpleNamespace(method="ping")), answer) == {"answer": True}
    assert made == (["ping"] if collected else [])


def test_the_sdk_brings_spans_and_nothing_else() -> None:
    assert [type(each).__name__ for each in Server("any").middleware] == ["OpenTelemetryMiddleware"]
