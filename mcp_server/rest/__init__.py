"""The toolkit's own HTTP interface: conversations, tools, search, generations, models and what they cost."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter

from mcp_server.rest import docs, documents, events, generate, models, search, sessions, tools, usage

ROUTERS: Final[Sequence[APIRouter]] = (
    *(sessions.router, tools.router, search.router, documents.router, generate.router, models.router),
    *(usage.router, events.router, docs.router),
)
"""In the order in which the documentation shows them."""
