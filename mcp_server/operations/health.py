"""Whether the process lives, and whether it can work."""

import asyncio
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import toolkit
from mcp_server.auth import called_by
from mcp_server.house import House
from mcp_server.operations.ending import UnderWay
from toolkit.access.scopes import ADMIN
from toolkit.errors import ToolkitError

SECONDS: Final = 4.5
"""How long a probe waits at most: each check has a shorter limit, and probes are told to wait for five seconds."""


def health_routes(house: House, under_way: UnderWay, *, always: bool) -> list[Route]:
    """`/health` answers while the process lives; `/health/ready` only where a call would succeed.

    Where callers must say who they are, why it would not is for who has the scope `admin`.

    Args:
        house: what is asked.
        under_way: knows whether the server is about to end; then it is not ready.
        always: callers must say who they are, whatever keys the database has.
    """
    opening: set[asyncio.Task[Any]] = set()

    def opened(task: asyncio.Task[Any]) -> None:
        opening.discard(task)
        _ = task.cancelled() or task.exception()  # who waits for it hears it; if nobody does any more, the next will

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "healthy", "version": toolkit.__version__})

    async def examined() -> dict[str, Any]:
        report = await house.toolkit.health()
        if report["checks"]["database"]["ok"]:  # then it is known, after this, whether there are keys
            task = next(iter(opening), None) or asyncio.create_task(house.opened())
            opening.add(task)
            task.add_done_callback(opened)
            await asyncio.shield(task)  # what has begun goes on where the probe does not wait for it
        return report

    async def ready(request: Request) -> Response:
        try:
            async with asyncio.timeout(SECONDS):
                report = await examined()
        except ToolkitError as error:
            report = _unready("toolkit", str(error))
        except TimeoutError:
            report = _unready("toolkit", f"It was not open within {SECONDS:g} seconds.")
        if under_way.ending:
            report = _unready("ending", "The server was told to end.", **report["checks"])
        if (always or house.has_keys) and ADMIN not in called_by(request.scope).scopes:
            report = {"status": report["status"]}
        return JSONResponse(report, status_code=200 if report["status"] == "ready" else 503)

    return [Route("/health", health), Route("/health/ready", ready)]


def _unready(check: str, why: str, **others: Any) -> dict[str, Any]:
    return {"status": "unready", "checks": {**others, check: {"ok": False, "milliseconds": 0.0, "message": why}}}
