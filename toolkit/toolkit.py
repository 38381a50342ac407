"""The house: one `Toolkit` holds every room, and is the only place where they meet."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from toolkit import providers, retention
from toolkit.access.keys import ApiKeys
from toolkit.answers import Answers
from toolkit.builtin import builtin_tools
from toolkit.code_tools import NO_MODEL, code_tools
from toolkit.db import Database, borrow_database, open_database
from toolkit.db.feed import Feed
from toolkit.db.redis import Redis
from toolkit.errors import ConfigError
from toolkit.health import Health, health
from toolkit.housekeeping import Housekeeping
from toolkit.inbox import accept
from toolkit.jobs.jobs import Jobs
from toolkit.knowledge import Knowledge
from toolkit.messages import Caller, Json, Reply
from toolkit.models.batches import VendorBatches
from toolkit.models.catalog import Catalog
from toolkit.models.router import Router
from toolkit.prompt_tools import PromptTools
from toolkit.prompts.library import Prompts
from toolkit.retention import KINDS, Forgetful, Forgotten, Keeping, Kind
from toolkit.search.embedding import Embedders
from toolkit.search.embedding.worker import Worker
from toolkit.search.ingest import Documents
from toolkit.search.retriever import Retriever
from toolkit.search.tools import search_tools
from toolkit.sessions.asking import Asking
from toolkit.sessions.chat import Chat
from toolkit.sessions.session import Session
from toolkit.sessions.store import Sessions
from toolkit.settings import Settings, data_folder
from toolkit.spending import Usage
from toolkit.tools.called import ToolCalled
from toolkit.tools.registry import ToolRegistry
from toolkit.tools.remote.file import ToolsFile
from toolkit.tools.remote.packages import Packages
from toolkit.tools.tool import ToolResult
from toolkit.usage.cache import ResponseCache
from toolkit.usage.ledger import BATCH
from toolkit.usage.limits import Limits
from toolkit.webhooks.webhooks import Webhooks

if TYPE_CHECKING:
    import asyncpg

    from toolkit.providers.cassette import Cassette

SOURCES_WITHIN: Final = 3.0
"""Seconds that opening waits for the tools of other servers; those that come later are there when they come."""

KEYWORDS: Final = frozenset(inspect.signature(Answers.complete).parameters) - {"self"}
"""What a question of a batch may say."""


class Toolkit(Answers, Knowledge):
    """Conversations, tools, search and models over one database.

    `async with Toolkit.open() as tk:` opens it; `start` and `close` do the same for a program that has no block to
    put it in. Until then nothing is opened: tools can be listed without a database.

    Attributes:
        models: the table of models.
        sessions: the conversations.
        tools: what a model may do.
        tool: registers the decorated function and leaves it as it is: `@tk.tool`, or `@tk.tool(read_only=True)`.
        documents: what is known.
        embedders: from texts to vectors, by name.
        embedding: makes the vectors that are still lacking, in the background.
        prompts: what is said on our behalf.
        usage: what was asked of whom, and what it cost.
        limits: how much may be asked and spent.
        keys: who may call over HTTP.
        cache: answers that may be given again.
        jobs: batches, and questions that are answered in the background.
        webhooks: who is told of events by HTTP.
        events: what happened, told to listeners in any process.
        db: where everything is kept.
        settings: what the environment says.
        environ: names to values, for the variables that rows of `models` refer to; a replay has stand-ins for keys.
    """

    def __init__(self, settings: Settings, db: Database) -> None:
        self.settings = settings
        self.db = db
        self.cassette = _cassette(settings)
        environ = self.environ = self.cassette.environ(settings.environ) if self.cassette else settings.environ
        connect = self.cassette.connect(providers.connect) if self.cassette else providers.connect
        self.redis = Redis(settings.redis_url) if settings.redis_url else None
        self.events = Feed(db)
        self.usage = Usage(db, spool=data_folder() / "ledger")
        self.models = Catalog(db, environ, default_model=settings.default_model, latencies=self.usage.latencies)
        self.usage.models = self.models
        self.limits = Limits(
            db,
            rpm=settings.rate_limit_rpm,
            tpm=settings.rate_limit_tpm,
            usd_per_day=settings.budget_usd_per_day,
            redis=self.redis,
        )
        self.keys = ApiKeys(db)
        self.cache = ResponseCache(
            db,
            max_bytes=settings.cache_max_mb * 1_000_000,
            similarity=settings.cache_similarity,
            embed=self._embed_question if settings.cache_similarity else None,
            redis=self.redis,
        )
        self.router = Router(self.models, self.usage, environ, connect=connect, limits=self.limits)
        self.sessions = Sessions(db, ttl=settings.session_ttl)
        self.embedders = Embedders(self.router.embed, default=settings.embedding_model)
        self.documents = Documents(db, self.embedders, environ=settings.environ)
        self.embedding = Worker(lambda: self.documents.index, self.embedders)
        if self.cassette:
            self.embedding.pause()  # what is made in the background comes at another moment each time
        self.retriever = Retriever(
            db, self.documents, self.embedders, rewriter=self._say_otherwise, lacking=self.embedding.touch
        )
        self.prompts = Prompts(settings.prompts_dir, db)
        own = [*search_tools(self.documents, self.retriever), *builtin_tools(self), *code_tools(self)]
        self.tools = ToolRegistry(own, on_call=self._note_tool)
        self.tool = self.tools.tool
        self._attach(environ)
        asking = Asking(
            self.router,
            self.sessions,
            self.usage,
            self.limits,
            self.cache,
            ttl=settings.cache_ttl,
            summary_model=settings.summary_model,
        )
        self.chat = Chat(self.sessions, asking, self.usage, self.tools)
        vendors = VendorBatches(self.models, self.usage, environ, connect=connect)
        self.jobs = Jobs(db, self._ask, keywords=KEYWORDS, vendors=vendors)
        self.webhooks = Webhooks(db, self.events, settings.webhook_urls, settings.environ.get("TOOLKIT_WEBHOOK_SECRET"))
        self._housekeeping = Housekeeping(
            {
                "catching up": self.usage.catch_up,
                "adding up": self._add_up,
                "forgetting sessions": self.sessions.sweep,
                "forgetting answers": self.cache.sweep,
                "forgetting rates": self.limits.sweep,
            }
        )
        self._starting = asyncio.Lock()
        self._catching_up: asyncio.Task[Any] | None = None
        self._started = False

    @classmethod
    def open(cls, url: str | None = None, *, settings: Settings | None = None) -> Self:
        """A toolkit of its own.

        Args:
            url: `sqlite:///file.db`, `sqlite://` (memory) or `postgresql://…`; without it that of the settings, which
                is `TOOLKIT_DATABASE_URL`, else a file in the user's data folder.
            settings: instead of the environment's.

        Raises:
            ConfigError: the URL or a variable cannot be used as written.
        """
        settings = settings or Settings.from_env(database_url=url)
        if url is not None:
            settings = replace(settings, database_url=url)
        return cls(settings, open_database(settings))

    @classmethod
    def borrow(cls, pool: "asyncpg.Pool[Any]", *, schema: str = "toolkit", settings: Settings | None = None) -> Self:
        """A toolkit in an application's Postgres, in a schema of its own; closing it leaves the pool open."""
        settings = settings or Settings.from_env()
        return cls(settings, borrow_database(pool, schema, settings))

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Open the database, bring its tables up to date, and list the vendors whose keys are set; once.

        Raises:
            DatabaseError: it cannot be opened; a later call tries again.
        """
        async with self._starting:
            if not self._started:
                if self.cassette:
                    self.cassette.start()
                await self.db.open()
                await self.models.seed()
                await self.tools.refresh(within=SOURCES_WITHIN)
                if not (self.cassette and self.cassette.replays):  # a replay does nothing that was not recorded
                    await self.webhooks.start()
                    self._catching_up = asyncio.create_task(self.usage.catch_up())
                    self._housekeeping.start()
                self._started = True

    async def close(self) -> None:
        """Let go of every connection; what was acknowledged is kept, and every subscription ends."""
        self._started = False
        self.events.close()
        try:
            async with AsyncExitStack() as closing:  # the last one first, and each whatever becomes of the others
                closing.push_async_callback(self.db.close)
                if self.redis:
                    closing.push_async_callback(self.redis.close)
                closing.push_async_callback(self.cache.close)
                closing.push_async_callback(self.limits.close)
                closing.push_async_callback(self.router.close)
                closing.push_async_callback(self.embedders.close)
                closing.push_async_callback(self.documents.close)
                closing.push_async_callback(self.retriever.close)
                closing.push_async_callback(self.embedding.close)
                closing.push_async_callback(self.tools.close)
                closing.push_async_callback(self.jobs.close)
                closing.push_async_callback(self.webhooks.close)
                closing.push_async_callback(self._housekeeping.close)
                if self._catching_up:
                    self._catching_up.cancel()
        finally:
            if self.cassette:
                self.cassette.close()

    async def accept(self, kind: str, subject: str, body: Mapping[str, Any] | None = None) -> Json:
        """Do what another service tells by an event, and tell it on; gives what came of it.

        `cache.invalidate` forgets answers: of the body's `model`, `prompt` or `pattern`, without any of them all.
        `model.updated` forgets those of the model that is its subject. `generation.requested` has the body, a prompt
        and other keywords of `complete`, answered in the background; gives the `id` for `jobs.get`. Every other kind is
        only told.

        Args:
            kind: lower-case words joined by dots.
            subject: the id of what it happened to.
            body: ids and figures; of a generation the request.

        Raises:
            ConfigError: one of them cannot be used.
        """
        return await accept(self, kind, subject, body or {})

    @asynccontextmanager
    async def session_scope(self, **options: Any) -> AsyncGenerator[Session, None]:
        """A session for a block of code, deleted at its end; `options` are those of `sessions.create`."""
        async with self.sessions.scope(**options) as session:
            yield session

    async def prune(
        self,
        before: datetime,
        *,
        only: Sequence[Kind] = KINDS,
        dry_run: bool = False,
        keep_sums: bool = False,
        told: Callable[[Kind, int], None] = lambda _kind, _count: None,
    ) -> Forgotten:
        """Forget what was last used, asked or told at `before` or earlier, in small transactions.

        Args:
            before: an aware datetime.
            only: of `sessions`, `calls` (the ledger, and so what they cost), `events` and `jobs`.
            keep_sums: what the forgotten calls cost stays known by day, model, vendor, user and application.
            dry_run: only count.
            told: hears after each transaction how many of which were forgotten by now.
        """
        every: Mapping[Kind, Forgetful] = {
            "sessions": self.sessions,
            "calls": Keeping(self.usage) if keep_sums else self.usage,
            "events": self.events,
            "jobs": self.jobs,
        }
        stores = {kind: every[kind] for kind in only}
        await self.start()
        if dry_run:
            return await retention.count(stores, before)
        return await retention.prune(stores, before, told=told)

    async def health(self) -> Health:
        """Whether it can work, and what of it cannot: `{"status": "ready" or "unready", "checks": {name: …}}`.

        Every check has `ok`, `milliseconds` and, where there is something to say, `message`. That of the models has
        the `chain`, and under `resting` every key that failed again and again or was told to wait: until when, and why.
        """
        return await health(self)

    def _attach(self, environ: Mapping[str, str]) -> None:
        """Name the sources of further tools; nothing is read or connected yet."""
        if self.settings.tools_file:
            through = self.cassette.through(ToolResult) if self.cassette else None
            self.tools.attach(ToolsFile(self.settings.tools_file, environ, through=through))
        self.tools.attach(Packages())
        self.tools.attach(PromptTools(self))

    async def _note_tool(self, called: ToolCalled) -> None:
        context = called.context
        await self.usage.record_tool(
            tool=called.tool,
            status=called.status,
            error=called.error,
            message=called.message,
            caller=Caller(context.user, context.origin, context.session_id, context.authenticated),
            call_id=context.call_id,
            argument_bytes=called.argument_bytes,
            result_bytes=called.result_bytes,
            milliseconds=called.milliseconds,
            started_at=called.started_at,
        )

    async def _ask(self, keywords: Json) -> Reply:
        reply = await self.complete(**keywords)
        # What is kept as an answer is not asked for again, and this is none.
        if not keywords.get("model") and not reply.cached and providers.last_resort(reply.attempts[-1].provider):
            raise ConfigError(NO_MODEL)
        return reply

    async def _embed_question(self, texts: Sequence[str]) -> list[list[float]]:
        vectors: list[list[float]] = (await self.embedders.get().embed(texts, query=True)).tolist()
        return vectors

    async def _add_up(self) -> None:
        """Add to the sums what is not yet in them, a little at a time."""
        while await self.usage.roll_up() == BATCH:  # noqa: ASYNC110 - the pause lets others write
            await asyncio.sleep(retention.PAUSE)


def _cassette(settings: Settings) -> "Cassette | None":
    if settings.cassette is None:
        return None
    from toolkit.providers.cassette import Cassette  # noqa: PLC0415 - who records and replays nothing need not wait

    return Cassette.open(settings.cassette, settings.record, environ=settings.environ)
