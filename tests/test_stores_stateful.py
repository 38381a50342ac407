"""The stores against a plain model of what they should keep: random operations on every kind of database.

Hypothesis makes up the operations, and shrinks them when an answer is not the model's. Time is frozen and moves on with
every operation; where the database is a file or a schema, two objects over it take turns, and are closed and opened.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, run_state_machine_as_test

from tests.hostile import fits, mended, objects, texts
from tests.stateful import Machine, one_of, operation, some, which
from toolkit import stamps
from toolkit.db import Database, Statement, as_json, open_database
from toolkit.db.migrate import default_folder, load, tables
from toolkit.errors import ConfigError, Conflict, DatabaseError, NotFound, SessionExpired, ToolkitError
from toolkit.messages import Attempt, Caller, Message, Usage
from toolkit.models.catalog import Catalog
from toolkit.models.model import Model
from toolkit.search.cutting.chunker import document_id
from toolkit.search.documents import Document
from toolkit.search.ingest import Documents
from toolkit.search.retriever import Retriever
from toolkit.sessions.session import Session
from toolkit.sessions.store import Sessions
from toolkit.settings import Settings
from toolkit.usage.ledger import Ledger

EXAMPLES, STEPS = {"sqlite": 15, "postgresql": 10}, 30

lives = st.sampled_from([1, 20, 90, 5000])  # seconds
names = st.sampled_from(["ada", "Bob", "größe", "x/y"])
scopes = st.sampled_from(["global", "work"])
WORDS = ("zebra", "quartz", "lemon", "tunnel", "copper")
some_words = st.sets(st.sampled_from(WORDS), min_size=1)


def text_of(document: Document) -> str:
    """What is the same for documents that are the same; 1, 1.0 and true are not."""
    return json.dumps(asdict(document), sort_keys=True)


@dataclass
class Said:
    session: Session
    messages: list[Message] = field(default_factory=list)


class Stores(Machine):
    """Each rule does one thing to the stores and to the model; the invariant compares them."""

    url = "sqlite://"

    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, Said] = {}
        self.gone: list[str] = ["no id", stamps.new_id()]
        self.calls: list[tuple[datetime, str, Attempt, Caller, str]] = []
        self.lost = 0  # rows of the ledger that no database can keep
        self.models: dict[str, Model] = {}
        self.changes: Counter[tuple[str, str]] = Counter()
        self.documents: dict[tuple[str, str], Document] = {}
        self.touched: str | None = None

    @initialize()
    def open(self) -> None:
        settings_ = Settings(self.url, max_connections=2)  # a new connection is what takes longest
        self.dbs = [open_database(settings_) for _ in range(1 if self.url == "sqlite://" else 2)]
        self.ledgers = [Ledger(db) for db in self.dbs]
        every = tables(load(default_folder(), self.dbs[0].dialect)) - {"schema_migrations", "chunks_words"}
        emptied = [Statement(f"DELETE FROM {name}") for name in sorted(every)]
        self.do(0, lambda db: db.write(*emptied))
        for n, ttl in enumerate((5000, 90)):  # so that every rule finds something from the first step on
            self.create(n=n, ttl=ttl, context={"a": [1, {"é": None}]}, user="ada", title="'")
            self.append(n=n, k=n + 1, said=["one", "two \0", "three"])
        self.add_model(n=0, name="ada", scope="global", priority=1, default=True, extra={})
        self.ingest(n=0, collection="ada", source="x/y", words={"zebra", "copper"}, metadata={})

    def pick(self, n: int) -> tuple[str, Said | None]:
        """Some id, and the session if there is one."""
        chosen = one_of(self.sessions, n, self.gone[n % len(self.gone)])
        return chosen, self.sessions.get(chosen)

    def unless_alive(self, n: int, said: Said | None, work: Callable[[Database], Coroutine[Any, Any, Any]]) -> bool:
        """Whether the session can be used; if not, that `work` says why."""
        if said is None:
            self.refused(n, work, NotFound)
            return False
        if said.session.expires_at <= self.following():
            self.refused(n, work, SessionExpired)
            return False
        return True

    # --- sessions

    @operation(n=which, ttl=lives | st.none(), context=objects, user=names | st.none(), title=texts | st.none())
    def create(self, *, n: int, ttl: int | None, context: dict[str, Any], user: str | None, title: str | None) -> None:
        def work(db: Database) -> Coroutine[Any, Any, Session]:
            return Sessions(db, ttl=40).create(ttl=ttl, context=context, user=user, title=title)

        if not fits([context, title or ""]):
            self.refused(n, work, DatabaseError)
            return
        made = self.do(n, work)
        assert (made.context, made.user, made.title, made.ttl_seconds) == (context, user, title, ttl or 40)
        assert self.at < made.created_at == made.used_at < self.at + timedelta(milliseconds=10)
        assert made.expires_at == made.used_at + timedelta(seconds=made.ttl_seconds)
        self.sessions[made.id] = Said(made)

    @operation(n=which, k=some, said=st.lists(texts, max_size=3))
    def append(self, *, n: int, k: int, said: list[str]) -> None:
        own, kept = self.pick(k)
        turn = [Message("user", text) for text in said]

        def work(db: Database) -> Coroutine[Any, Any, Session]:
            return Sessions(db).append(own, turn, call_id="c")

        if self.unless_alive(n, kept, work) and kept:
            after = self.do(n, work)
            latest = max(kept.session.expires_at, after.used_at + timedelta(seconds=after.ttl_seconds))
            assert after == replace(kept.session, used_at=after.used_at, expires_at=latest)
            self.sessions[own] = Said(after, kept.messages + [Message("user", mended(text)) for text in said])
            self.touched = own

    @operation(k=some, one=st.lists(texts, min_size=1, max_size=3), two=st.lists(texts, min_size=1, max_size=3))
    def append_from_both_sides_at_once(self, *, k: int, one: list[str], two: list[str]) -> None:
        own, kept = self.pick(k)
        turns = [[Message("user", mended(f"{n} {text}")) for text in said] for n, said in enumerate((one, two))]

        async def work(_: Database) -> list[Session]:
            sides = [Sessions(self.dbs[n % len(self.dbs)]) for n in range(2)]
            return await asyncio.gather(*(side.append(own, turn) for side, turn in zip(sides, turns, strict=True)))

        if self.unless_alive(0, kept, work) and kept:
            self.do(0, work)
            session, messages = self.look(0, lambda db: Sessions(db).read(own))
            before = kept.messages
            assert messages in ([*before, *turns[0], *turns[1]], [*before, *turns[1], *turns[0]])
            self.sessions[own] = Said(session, messages)

    @operation(n=which, k=some, ttl=lives | st.sampled_from([0, None]))
    def extend(self, *, n: int, k: int, ttl: int | None) -> None:
        own, kept = self.pick(k)

        def work(db: Database) -> Coroutine[Any, Any, Session]:
            return Sessions(db).extend(own, ttl=ttl)

        if self.unless_alive(n, kept, work) and kept:
            if ttl == 0:
                self.refused(n, work, ConfigError)
                return
            after = self.do(n, work)
            seconds = ttl or kept.session.ttl_seconds
            ends = after.used_at + timedelta(seconds=seconds)
            assert after == replace(kept.session, ttl_seconds=seconds, used_at=after.used_at, expires_at=ends)
            kept.session = after

    @operation(n=which, k=some, at=st.integers(-1, 8) | st.none())
    def fork(self, *, n: int, k: int, at: int | None) -> None:
        own, kept = self.pick(k)

        def work(db: Database) -> Coroutine[Any, Any, Session]:
            return Sessions(db).fork(own, at=at)

        if self.unless_alive(n, kept, work) and kept:
            if at is not None and not 0 <= at <= len(kept.messages):
                self.refused(n, work, ConfigError)
                return
            made = self.do(n, work)
            taken = kept.messages[:at]
            old = kept.session
            assert (made.parent_id, made.parent_at, made.context) == (own, len(taken), old.context)
            assert (made.user, made.title, made.ttl_seconds) == (old.user, old.title, old.ttl_seconds)
            self.sessions[made.id] = Said(made, taken)
            self.touched = made.id

    @operation(n=which, k=some, later=st.integers(-1, 2))
    def read_about_when_it_expires(self, *, n: int, k: int, later: int) -> None:
        own, kept = self.pick(k)
        if kept and 0 < (left := round((kept.session.expires_at - self.at).total_seconds())) < 100:
            seconds = max(1, left + later)
            if kept.session.expires_at > self.following(seconds):
                assert self.do(n, lambda db: Sessions(db).read(own), seconds=seconds) == (kept.session, kept.messages)
            else:
                self.refused(n, lambda db: Sessions(db).read(own), SessionExpired, seconds=seconds)

    @operation(n=which, k=some)
    def delete(self, *, n: int, k: int) -> None:
        own, kept = self.pick(k)
        if kept is None:
            self.refused(n, lambda db: Sessions(db).delete(own), NotFound)
            return
        self.do(n, lambda db: Sessions(db).delete(own))
        del self.sessions[own]
        self.gone.append(own)

    @operation(n=which, limit=st.integers(1, 3), seconds=st.integers(1, 50))
    def wait_and_sweep(self, *, n: int, limit: int, seconds: int) -> None:
        swept = self.do(n, lambda db: Sessions(db).sweep(limit), seconds=seconds)
        expired = sorted(
            (s.session.expires_at, own) for own, s in self.sessions.items() if s.session.expires_at <= self.at
        )
        assert swept == min(limit, len(expired))
        for _, own in expired[:swept]:
            del self.sessions[own]
            self.gone.append(own)

    # --- the ledger

    @operation(n=which, name=names, user=names | st.none(), message=texts, cost=st.none() | st.integers(0, 2**60),
          tokens=st.none() | st.integers(0, 10**12), cancelled=st.booleans())  # fmt: skip
    def record(
        self,
        *,
        n: int,
        name: str,
        user: str | None,
        message: str,
        cost: int | None,
        tokens: int | None,
        cancelled: bool,
    ) -> None:
        usage = None if tokens is None else Usage(tokens, tokens // 2, 3, 2, 1)
        failed = len(message) % 2 == 1
        attempt = Attempt(
            name, "p", "m", error="RateLimited" if failed else None, message=message or None, usage=usage,
            milliseconds=0.1 * len(message), cost_nano_usd=cost,
        )  # fmt: skip
        caller = Caller(user=user, origin="o", session_id=None)
        ledger = self.ledgers[n % len(self.ledgers)]
        started = self.at
        before = ledger.failures
        self.do(
            n,
            lambda _: ledger.record(
                attempt, call_id="q", number=1, kind="chat", caller=caller, started_at=started, cancelled=cancelled
            ),
        )
        if not fits(message):
            assert ledger.failures == before + 1
            return
        assert ledger.failures == before, ledger.last_failure
        self.calls.append((started, "cancelled" if cancelled else "error" if failed else "ok", attempt, caller, "q"))

    # --- the table of models

    def deposed(self, scope: str, heir: str) -> None:
        for name, model in self.models.items():
            if model.is_default and model.scope == scope and name != heir:
                self.models[name] = replace(model, is_default=False)
                self.changes["set", name] += 1

    @operation(n=which, name=names, scope=scopes, priority=st.integers(-5, 5), default=st.booleans(), extra=objects)
    def add_model(self, *, n: int, name: str, scope: str, priority: int, default: bool, extra: dict[str, Any]) -> None:
        config = {"extra": extra}

        def work(db: Database) -> Coroutine[Any, Any, Model]:
            return Catalog(db, {}).add(
                "scripted", "m", name=name, scope=scope, priority=priority, default=default, config=config
            )

        if name in self.models or not fits(extra):
            self.refused(n, work, Conflict, DatabaseError)
            return
        self.models[name] = self.do(n, work)
        self.changes["add", name] += 1
        if default:
            self.deposed(scope, name)

    @operation(n=which, k=some, priority=st.none() | st.integers(-5, 5), enabled=st.none() | st.booleans(),
          default=st.none() | st.booleans(), new_name=st.none() | names)  # fmt: skip
    def set_model(
        self,
        *,
        n: int,
        k: int,
        priority: int | None,
        enabled: bool | None,
        default: bool | None,
        new_name: str | None,
    ) -> None:
        def work(db: Database) -> Coroutine[Any, Any, Model]:
            return Catalog(db, {}).set(name, priority=priority, enabled=enabled, default=default, new_name=new_name)

        name = one_of(self.models, k, "nobody")
        before = self.models.get(name)
        if before is None:
            self.refused(n, work, NotFound)
            return
        given: dict[str, Any] = {"priority": priority, "enabled": enabled, "is_default": default, "name": new_name}
        wanted = replace(before, **{key: value for key, value in given.items() if value is not None})
        if wanted.name != name and wanted.name in self.models:
            self.refused(n, work, Conflict)
            return
        after = self.do(n, work)
        assert after.to_json() == wanted.to_json()
        del self.models[name]
        self.models[wanted.name] = after
        if wanted != before:
            self.changes["set", wanted.name] += 1
            if wanted.is_default:
                self.deposed(wanted.scope, wanted.name)

    @operation(n=which, k=some)
    def remove_model(self, *, n: int, k: int) -> None:
        name = one_of(self.models, k, "nobody")
        if name not in self.models:
            self.refused(n, lambda db: Catalog(db, {}).remove(name), NotFound)
            return
        self.do(n, lambda db: Catalog(db, {}).remove(name))
        del self.models[name]
        self.changes["remove", name] += 1

    # --- documents

    @operation(
        n=which, collection=names, source=names, words=st.sets(st.sampled_from(WORDS), min_size=1), metadata=objects
    )
    def ingest(self, *, n: int, collection: str, source: str, words: set[str], metadata: dict[str, Any]) -> None:
        document = Document(source, " ".join(sorted(words)) + ".", title=source, metadata=metadata)
        known = self.documents.get((collection, source))

        async def work(db: Database) -> Any:
            return await Documents(db).ingest(document, collection=collection)

        if not fits(metadata):
            self.refused(n, work, ToolkitError)
            return
        report = self.do(n, work)
        assert (report.added, report.updated) == (
            int(known is None),
            int(known is not None and text_of(known) != text_of(document)),
        )
        self.documents[collection, source] = document

    @operation(n=which, k=some)
    def remove_document(self, *, n: int, k: int) -> None:
        collection, source = one_of(self.documents, k, ("ada", "nothing"))
        own = document_id(collection, source)
        if (collection, source) not in self.documents:
            self.refused(n, lambda db: Documents(db).remove_document(own), NotFound)
            return
        self.do(n, lambda db: Documents(db).remove_document(own))
        del self.documents[collection, source]

    @operation(n=which, collection=names)
    def remove_collection(self, *, n: int, collection: str) -> None:
        held = [key for key in self.documents if key[0] == collection]
        if not held:
            self.refused(n, lambda db: Documents(db).remove_collection(collection), NotFound)
            return
        assert self.do(n, lambda db: Documents(db).remove_collection(collection)) == len(held)
        for key in held:
            del self.documents[key]

    @operation(n=which, word=st.sampled_from(WORDS))
    def search(self, *, n: int, word: str) -> None:
        if not self.documents:
            self.refused(n, lambda db: Retriever(db).search(word), NotFound)
            return
        hits = self.look(n, lambda db: Retriever(db).search(word, top_k=20))
        expected = {key for key, document in self.documents.items() if word in document.text}
        assert {(hit.collection, hit.source) for hit in hits} == expected

    # --- the database

    @operation(n=which)
    def reopen(self, *, n: int) -> None:
        if self.url != "sqlite://":  # which forgets
            self.do(n, lambda db: db.close())
            self.do(n, lambda db: db.open())

    @operation(n=which)
    def look_at_everything(self, *, n: int) -> None:
        async def work(db: Database) -> Any:
            sessions, documents = Sessions(db), Documents(db)
            said = {each.id: await sessions.messages(each.id) for each in await sessions.list(limit=1000)}
            kept = {key: await documents.document(document_id(*key)) for key in self.documents}
            return said, kept, await db.check()

        said, kept, problems = self.look(n, work)
        assert said == {own: self.sessions[own].messages for own in said}
        for key, document in self.documents.items():
            assert (kept[key].text, kept[key].metadata) == (document.text, document.metadata)
        assert problems == []

    @invariant()
    def the_stores_answer_what_the_model_does(self) -> None:
        if not self.dbs:
            return
        touched = self.touched if self.touched in self.sessions else None

        async def ask(db: Database) -> Any:
            catalog, ledger = Catalog(db, {}), Ledger(db)
            asked: list[Awaitable[Any]] = [
                Sessions(db).list(limit=1000),
                ledger.calls(limit=1000),
                ledger.stats(days=1000),
                catalog.list(),
                catalog.history(limit=1000),
                Documents(db).collections(),
                db.fetch_all("SELECT body FROM messages WHERE session_id = :id ORDER BY position", id=touched or ""),
            ]
            return await asyncio.gather(*asked)

        listed, calls, stats, models, changes, collections, said = self.look(self.count, ask)
        alive = [s.session for s in self.sessions.values() if s.session.expires_at > self.at]
        assert listed == sorted(alive, key=lambda session: (session.used_at, session.id), reverse=True)
        kept = [(call.started_at, call.status, call.attempt, call.user, call.call_id) for call in calls]
        assert kept == [
            (at, status, attempt, caller.user, own) for at, status, attempt, caller, own in self.calls[::-1]
        ]
        assert (stats.calls, stats.failures) == (
            len(self.calls),
            sum(status == "error" for _, status, *_ in self.calls),
        )
        costs = [each.cost_nano_usd for _, _, each, *_ in self.calls if each.cost_nano_usd is not None]
        assert round((stats.cost_usd or 0) * 1e9) == pytest.approx(sum(costs))
        in_order = sorted(self.models.values(), key=lambda model: (model.scope, model.priority, model.name))
        assert [(model.id, model.to_json()) for model in models] == [(m.id, m.to_json()) for m in in_order]
        assert Counter((change.action, change.name) for change in changes) == self.changes
        sizes = Counter(collection for collection, _ in self.documents)
        assert {info.name: (info.documents, info.chunks) for info in collections} == {
            c: (k, k) for c, k in sizes.items()
        }
        if touched:
            texts_ = [as_json(row["body"])["text"] for row in said]
            assert texts_ == [message.text for message in self.sessions[touched].messages]


def test_every_store_answers_what_a_plain_model_does_on_every_kind_of_database(any_url: str) -> None:
    bounds = settings(
        max_examples=EXAMPLES[any_url.partition(":")[0]],
        stateful_step_count=STEPS,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # Phase.shrink beside it looks for a shorter failure, for minutes
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(type("Machine", (Stores,), {"url": any_url}), settings=bounds)
