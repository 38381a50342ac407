"""Whether the process lives, and whether it can work."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import toolkit
from mcp_server.house import House
from toolkit.errors import ToolkitError


def health_routes(house: House) -> list[Route]:
    """`/health` answers while the process lives; `/health/ready` only where a call would succeed."""

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "healthy", "version": toolkit.__version__})

    async def ready(_request: Request) -> Response:
        try:
            report = await house.toolkit.health()
        except ToolkitError as error:
            report = {"status": "unready", "checks": {"toolkit": {"ok": False, "message": str(error)}}}
        return JSONResponse(report, status_code=200 if report["status"] == "ready" else 503)

    return [Route("/health", health), Route("/health/ready", ready)]
