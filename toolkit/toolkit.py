"""The house: one `Toolkit` holds every room, and is the only place where they meet."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from datetime import datetime
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from toolkit import retention
from toolkit.builtin import builtin_tools
from toolkit.db import Database, borrow_database, open_database
from toolkit.db.feed import Feed
from toolkit.errors import DatabaseError
from toolkit.messages import Caller, Delta, Json, Message, Reply, conversation
from toolkit.models.catalog import Catalog
from toolkit.models.doors import KeyHealth
from toolkit.models.router import Router
from toolkit.prompts.library import Prompts
from toolkit.retention import KINDS, Forgetful, Forgotten, Kind
from toolkit.search.answer import MOST_PASSAGES, Answer, cite, ground
from toolkit.search.documents import Document, Hit, IngestReport
from toolkit.search.ingest import Documents, OnProgress
from toolkit.search.retriever import Retriever
from toolkit.search.tools import search_tools
from toolkit.sessions.chat import Chat, ChatOptions
from toolkit.sessions.store import Sessions
from toolkit.settings import Settings
from toolkit.tools.registry import ToolRegistry
from toolkit.usage.ledger import Ledger

if TYPE_CHECKING:
    import asyncpg

Prompt = str | Message | Sequence[Message | Mapping[str, Any]]
Fallbacks = Sequence[str] | Literal["chain"]


class Toolkit:
    """Conversations, tools, search and models over one database.

    `async with Toolkit.open() as tk:` opens it; `start` and `close` do the same for a program that has no block to
    put it in. Until then nothing is opened: tools can be listed without a database.

    Attributes:
        models: the table of models.
        sessions: the conversations.
        tools: what a model may do.
        tool: registers the decorated function and leaves it as it is: `@tk.tool`, or `@tk.tool(read_only=True)`.
        documents: what is known.
        prompts: what is said on our behalf.
        usage: what was asked of whom, and what it cost.
        events: what happened, told to listeners in any process.
        db: where everything is kept.
        settings: what the environment says.
    """

    def __init__(self, settings: Settings, db: Database) -> None:
        self.settings = settings
        self.db = db
        self.events = Feed(db)
        self.usage = Ledger(db)
        self.models = Catalog(
            db, settings.environ, default_model=settings.default_model, latencies=self.usage.latencies
        )
        self.router = Router(self.models, self.usage, settings.environ)
        self.sessions = Sessions(db, ttl=settings.session_ttl)
        self.documents = Documents(db)
        self.retriever = Retriever(db)
        self.prompts = Prompts(settings.prompts_dir)
        self.tools = ToolRegistry([*search_tools(self.documents, self.retriever), *builtin_tools(self)])
        self.tool = self.tools.tool
        self.chat = Chat(self.sessions, self.router, self.tools)
        self._starting = asyncio.Lock()
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
                await self.db.open()
                await self.models.seed()
                self._started = True

    async def close(self) -> None:
        """Let go of every connection; what was acknowledged is kept, and every subscription ends."""
        self._started = False
        self.events.close()
        await self.router.close()
        await self.db.close()

    async def complete(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        session: str | None = None,
        user: str | None = None,
        origin: str | None = None,
        system: str | None = None,
        tools: Sequence[str] = (),
        response_model: Any = None,
        validation_context: Any = None,
        validation_retries: int = 2,
        fallbacks: Fallbacks = (),
        requirements: Mapping[str, Any] | None = None,
        hedge: bool | float = False,
        scope: str = "global",
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: Sequence[str] = (),
        seed: int | None = None,
        extra: Mapping[str, Any] | None = None,
        timeout: float = 60.0,
    ) -> Reply:
        """The answer of the first model that gives one.

        Args:
            prompt: a text, a message, or messages, oldest first.
            model: a name or id in the table, `provider/model`, or `"default"`; None is the chain of `scope`.
            session: the conversation that the turn continues and is kept in.
            user: on whose behalf, for the ledger.
            origin: the application that asks, for the ledger.
            system: instructions for this turn; not kept in the session.
            tools: names of tools that the model may have called.
            response_model: the type that the answer must fit, any that pydantic understands: a `BaseModel`, a
                dataclass, `list[City]`, `Literal["yes", "no"]`. Then `reply.parsed` is the instance and `reply.text`
                its JSON, in which a type that is no object stands under the key `"answer"`.
            validation_context: what the type's validators find at `info.context`.
            validation_retries: how often, at most, the model is told what does not fit and asked again.
            fallbacks: models to try after `model`; `"chain"` is the rest of the chain.
            requirements: what a model must have to be asked, e.g. `{"vision": True}`; as for `models.select`.
            hedge: ask a second model too where the first is slower than it mostly is, or than this many seconds; the
                first answer counts.
            scope: whose chain; a scope without models has the global one.
            temperature: 0 to 2.
            max_tokens: an upper bound on the answer's length.
            stop: texts at which the answer ends.
            seed: for vendors that can repeat an answer.
            extra: what only one vendor has.
            timeout: seconds for everything together.

        Raises:
            NotFound: no such model, session or tool.
            SessionExpired: the session's time ran out.
            AllModelsFailed: nobody answered; `attempts` says why.
            DeadlineExceeded: nobody answered in time.
            InvalidRequest: a vendor refused the request itself.
            AnswerInvalid: no answer fitted `response_model`.
            ConfigError: an argument cannot be used as given.
        """
        options = ChatOptions(
            model=model,
            scope=scope,
            fallbacks=_fallbacks(fallbacks),
            requirements=requirements,
            hedge=hedge,
            response_model=response_model,
            validation_context=validation_context,
            validation_retries=validation_retries,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=tuple(stop),
            seed=seed,
            extra=dict(extra or {}),
            timeout=timeout,
            caller=Caller(user, origin, session),
        )
        return await self.chat.run(
            conversation(prompt), session=session, system=system, tools=tuple(tools), options=options
        )

    async def stream(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        session: str | None = None,
        user: str | None = None,
        origin: str | None = None,
        system: str | None = None,
        tools: Sequence[str] = (),
        response_model: Any = None,
        validation_context: Any = None,
        validation_retries: int = 2,
        fallbacks: Fallbacks = (),
        requirements: Mapping[str, Any] | None = None,
        hedge: bool | float = False,
        scope: str = "global",
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: Sequence[str] = (),
        seed: int | None = None,
        extra: Mapping[str, Any] | None = None,
        timeout: float = 60.0,
        on_interrupt: Literal["continue", "restart", "raise"] = "continue",
    ) -> AsyncGenerator[Delta, None]:
        """The same as `complete`, piece by piece; the last piece carries the whole reply.

        `on_interrupt` says what happens when an answer breaks off after it began: the next model goes on from the
        text so far, or begins again (announced by a piece with `restarted`), or `StreamInterrupted` is raised.

        With `response_model` the text is JSON, and `delta.partial` is what it is so far, as Python's objects: not yet
        validated, and in long answers a moment old. An answer that breaks off begins again, and so does one that does
        not fit, announced in the same way.
        """
        options = ChatOptions(
            model=model,
            scope=scope,
            fallbacks=_fallbacks(fallbacks),
            requirements=requirements,
            hedge=hedge,
            response_model=response_model,
            validation_context=validation_context,
            validation_retries=validation_retries,
            temperature=temperature,
            max_tokens=max_tokens,
            stop=tuple(stop),
            seed=seed,
            extra=dict(extra or {}),
            timeout=timeout,
            caller=Caller(user, origin, session),
            on_interrupt=on_interrupt,
        )
        said = self.chat.stream(
            conversation(prompt), session=session, system=system, tools=tuple(tools), options=options
        )
        async with aclosing(said) as deltas:  # a stream that is left early lets go of its session at once
            async for delta in deltas:
                yield delta

    async def embed(self, texts: Sequence[str], *, model: str, timeout: float = 60.0) -> list[list[float]]:
        """One vector per text, in order, from an embedding model of a vendor."""
        return await self.router.embed(texts, model=model, timeout=timeout)

    async def ingest(
        self,
        what: str | PathLike[str] | Document | Sequence[str | PathLike[str] | Document],
        *,
        collection: str = "default",
        progress: OnProgress | None = None,
    ) -> IngestReport:
        """Read files, folders or documents into the search index; what has not changed is not touched.

        Args:
            what: a path to a file or folder, a document, or several of them.
            collection: the named set that they belong to.
            progress: told after every document.

        Raises:
            IngestError: there is nothing that can be read; the message says why.
        """
        return await self.documents.ingest(what, collection=collection, progress=progress)

    async def search(
        self,
        query: str,
        *,
        collection: str | Sequence[str] | None = None,
        top_k: int = 5,
        where: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """The chunks that fit `query` best, best first.

        Args:
            query: words, a question, code; any text.
            collection: where to look; None is everywhere.
            top_k: how many, at least 1.
            where: equalities that a hit's document must satisfy, e.g. `{"kind": "code"}`.

        Raises:
            NotFound: no such collection, or nothing was ingested yet.
        """
        return await self.retriever.search(query, collection=collection, top_k=top_k, where=where)

    async def answer(
        self,
        question: str,
        *,
        collection: str | Sequence[str] | None = None,
        session: str | None = None,
        model: str | None = None,
        user: str | None = None,
        origin: str | None = None,
        top_k: int = MOST_PASSAGES,
        timeout: float = 60.0,
    ) -> Answer:
        """An answer from the ingested documents, with the passages that it rests on.

        Without any other model the embedded one quotes the sentences that answer best.

        Args:
            question: in plain words.
            collection: where to look; None is everywhere.
            session: the conversation that question and answer are kept in; the passages are not.
            model: as in `complete`.
            user: on whose behalf, for the ledger.
            origin: the application that asks, for the ledger.
            top_k: how many passages the model may read, at most `MOST_PASSAGES`; more are left out.
            timeout: seconds for everything together.

        Raises:
            NotFound: no such collection, model or session, or nothing was ingested yet.
        """
        hits = await self.retriever.search(question, collection=collection, top_k=top_k)
        grounding = ground(question, hits, self.prompts.render("answer_from_sources"))
        reply = await self.chat.run(
            grounding.messages,
            session=session,
            sources=grounding.sources,
            remember=(Message("user", question),),
            options=ChatOptions(model=model, timeout=timeout, caller=Caller(user, origin, session)),
        )
        return cite(reply, hits)

    async def prune(
        self,
        before: datetime,
        *,
        only: Sequence[Kind] = KINDS,
        dry_run: bool = False,
        told: Callable[[Kind, int], None] = lambda _kind, _count: None,
    ) -> Forgotten:
        """Forget what was last used, asked or told at `before` or earlier, in small transactions.

        Args:
            before: an aware datetime.
            only: of `sessions`, `calls` (the ledger, and so what they cost) and `events`.
            dry_run: only count.
            told: hears after each transaction how many of which were forgotten by now.
        """
        every: Mapping[Kind, Forgetful] = {"sessions": self.sessions, "calls": self.usage, "events": self.events}
        stores = {kind: every[kind] for kind in only}
        await self.start()
        if dry_run:
            return await retention.count(stores, before)
        return await retention.prune(stores, before, told=told)

    async def health(self) -> Json:
        """Whether it can work, and what of it cannot: `{"status": "ready" or "unready", "checks": {name: …}}`.

        Every check has `ok`, `milliseconds` and, where there is something to say, `message`. That of the models has
        the `chain`, and under `resting` every key that failed again and again or was told to wait: until when, and why.
        """
        checks = {"database": await self._check_database()}
        if checks["database"]["ok"]:
            checks["models"] = await self._check_models()
        checks["ledger"] = {"ok": self.usage.last_failure is None, "milliseconds": 0.0}
        if self.usage.last_failure:
            checks["ledger"]["message"] = self.usage.last_failure
        # A ledger that cannot write is told, but answers go on.
        ready = all(check["ok"] for name, check in checks.items() if name != "ledger")
        return {"status": "ready" if ready else "unready", "checks": checks}

    async def _check_database(self) -> Json:
        begun = time.perf_counter()
        try:
            await self.start()
            await self.db.fetch_one("SELECT 1 AS one")
        except DatabaseError as error:
            return {"ok": False, "milliseconds": _since(begun), "message": str(error)}
        return {"ok": True, "milliseconds": _since(begun)}

    async def _check_models(self) -> Json:
        begun = time.perf_counter()
        chain = [model.name for model in await self.models.chain()]
        resting = [_told(key) for key in self.router.health() if key.state != "closed"]
        check: Json = {"ok": bool(chain), "milliseconds": _since(begun), "chain": chain, "resting": resting}
        if not chain:
            check["message"] = "No model is enabled; enable one with `toolkit models enable NAME`."
        elif resting:
            names = ", ".join(dict.fromkeys(key["model"] for key in resting))
            check["message"] = f"Left in peace for a while, because they failed: {names}."
        return check


def _told(key: KeyHealth) -> Json:
    return {**asdict(key), "until": key.until and key.until.isoformat()}


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 1)


def _fallbacks(value: Fallbacks) -> Fallbacks:
    return "chain" if value == "chain" else tuple(value)
