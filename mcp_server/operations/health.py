"""Whether the process lives, and whether it can work."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import toolkit
from mcp_server.auth import called_by
from mcp_server.house import House
from toolkit.access.scopes import ADMIN
from toolkit.errors import ToolkitError


def health_routes(house: House, *, always: bool) -> list[Route]:
    """`/health` answers while the process lives; `/health/ready` only where a call would succeed.

    Where callers must say who they are, why it would not is for who has the scope `admin`.

    Args:
        house: what is asked.
        always: callers must say who they are, whatever keys the database has.
    """

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "healthy", "version": toolkit.__version__})

    async def ready(request: Request) -> Response:
        try:
            report = await house.toolkit.health()
            if report["checks"]["database"]["ok"]:
                await house.opened()  # says whether there are keys
        except ToolkitError as error:
            report = {"status": "unready", "checks": {"toolkit": {"ok": False, "message": str(error)}}}
        if (always or house.has_keys) and ADMIN not in called_by(request.scope).scopes:
            report = {"status": report["status"]}
        return JSONResponse(report, status_code=200 if report["status"] == "ready" else 503)

    return [Route("/health", health), Route("/health/ready", ready)]
