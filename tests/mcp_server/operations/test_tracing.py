"""Spans are made where somebody collects them."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from mcp.server import Server
from mcp.server.context import CallNext, HandlerResult
from opentelemetry.trace import NoOpTracerProvider

from mcp_server.operations import tracing


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
