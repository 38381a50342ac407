"""A chat over the real store, router and registry, with a model that says what the test wrote."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.sessions.script import Script
from toolkit.db import Database
from toolkit.models.catalog import Catalog
from toolkit.models.router import Router
from toolkit.sessions.asking import Asking
from toolkit.sessions.chat import Chat
from toolkit.sessions.store import Sessions
from toolkit.tools.registry import ToolRegistry
from toolkit.tools.tool import ToolContext
from toolkit.usage.cache import ResponseCache
from toolkit.usage.ledger import Ledger
from toolkit.usage.limits import Limits


@dataclass
class House:
    chat: Chat
    sessions: Sessions
    tools: ToolRegistry
    script: Script
    ledger: Ledger
    router: Router
    catalog: Catalog
    limits: Limits
    cache: ResponseCache

    def summing_up(self, model: str) -> Chat:
        """Another chat over the same rooms, with a model that sums up."""
        asking = Asking(self.router, self.sessions, self.ledger, self.limits, self.cache, summary_model=model)
        return Chat(self.sessions, asking, self.ledger, self.tools)


@pytest.fixture
def sessions(db: Database) -> Sessions:
    return Sessions(db, ttl=60)


@pytest.fixture
async def house(db: Database) -> AsyncIterator[House]:
    script, ledger, catalog = Script(), Ledger(db), Catalog(db, {})
    await catalog.add("scripted", "one")
    router = Router(catalog, ledger, {}, connect=lambda *_: script)
    sessions, tools = Sessions(db), some_tools()
    limits, cache = Limits(db), ResponseCache(db, max_bytes=1_000_000)
    asking = Asking(router, sessions, ledger, limits, cache)
    chat = Chat(sessions, asking, ledger, tools)
    yield House(chat, sessions, tools, script, ledger, router, catalog, limits, cache)
    await cache.close()
    await router.close()


def some_tools() -> ToolRegistry:
    tools = ToolRegistry()

    @tools.tool
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @tools.tool
    def secret() -> str:
        """Tell the secret."""
        raise AssertionError("it was not offered")

    @tools.tool
    def flood(length: int) -> str:
        """Say a lot."""
        return "x" * length

    @tools.tool
    def who(context: ToolContext) -> str:
        """Say who asks."""
        return f"{context.session_id} {context.user} {context.origin}"

    return tools
