"""Spans of OpenTelemetry for each message, where somebody collects them.

The SDK makes a span for each message in any case. Where nobody has set up a provider it goes nowhere, and takes as long
as a small tool itself.
"""

from typing import Any

from mcp.server import Server
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from opentelemetry.trace import ProxyTracerProvider, get_tracer_provider


class _Spans:
    """The SDK's own spans, as soon as there is a provider to take them.

    Args:
        make: makes them.
    """

    def __init__(self, make: ServerMiddleware[Any]) -> None:
        self._make = make

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve one message."""
        if isinstance(get_tracer_provider(), ProxyTracerProvider):  # it stands for one that may come
            return await call_next(ctx)
        return await self._make(ctx, call_next)


def where_collected(server: Server[Any]) -> None:
    """Let `server` make its spans only where somebody collects them."""
    server.middleware[:] = map(_Spans, server.middleware)  # the SDK's alone are there at first
