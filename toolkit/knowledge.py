"""What the documents can be asked: taken in, searched, and answered from."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal

from toolkit import providers
from toolkit.errors import ConfigError
from toolkit.messages import Caller, Delta, Image, Message
from toolkit.models.catalog import Catalog
from toolkit.prompts.library import Prompts
from toolkit.search.answer import MOST_PASSAGES, TOKENS, Answer, Grounding, answer_of, ground, streamed
from toolkit.search.collection import key_of
from toolkit.search.describing import Describe
from toolkit.search.documents import Document, Hit, Hits, IngestReport
from toolkit.search.embedding import BUNDLED, Embedders
from toolkit.search.embedding.worker import Worker
from toolkit.search.ingest import Documents, OnProgress
from toolkit.search.preparing import Runs
from toolkit.search.ranking.mode import Mode
from toolkit.search.retriever import Rerank, Retriever, Where
from toolkit.sessions.chat import Chat, ChatOptions
from toolkit.sessions.turn import Approve
from toolkit.stamps import begin

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Ingestible = str | PathLike[str] | Document
Cache = bool | Literal["refresh"] | None

_PROMPT: Final = "answer_from_sources"
_REWRITE: Final = "say_otherwise"
_DESCRIBE: Final = "describe_passages"
_WAYS = 3
_MOST_REWRITTEN = 200
_REWRITE_WITHIN = 10.0


class Knowledge:
    """The documents; its rooms are those of `Toolkit`."""

    chat: Chat
    documents: Documents
    embedding: Worker
    embedders: Embedders
    models: Catalog
    prompts: Prompts
    retriever: Retriever

    async def embed(
        self, texts: Sequence[str], *, model: str | None = None, timeout: float = 60.0
    ) -> list[list[float]]:
        """One vector per text, in order.

        Args:
            texts: not blank.
            model: a model as in `complete`, or any other embedder by its name; None is `TOOLKIT_EMBEDDING_MODEL`, else
                the model that comes with the toolkit, which needs no account.
            timeout: seconds that a vendor may take.
        """
        begin()
        return await self.embedders.embed(texts, model=model, timeout=timeout)

    async def ingest(
        self,
        what: Ingestible | Sequence[Ingestible],
        *,
        collection: str = "default",
        progress: OnProgress | None = None,
        workers: int = 0,
        readers: Runs | None = None,
        describe: bool = False,
        owner: str | None = None,
    ) -> IngestReport:
        """Read files, folders or documents into the search index; what has not changed is not touched.

        What was read is found by its words when this returns, and by its meaning as its vectors come: in the
        background while the toolkit is open, and for the best hits while a search waits. `embedding.settled` waits
        for all of them.

        Args:
            what: a path to a file or folder, the address of a page, a text, a document, or several of them.
            collection: the named set that they belong to.
            progress: told after every document.
            workers: processes that read files; 0: threads of this one.
            readers: who reads instead, e.g. a `Cluster`; it stays open.
            describe: have a model say what each passage is about within its document, and keep that with the
                passage's heading: one question for ten passages. What was described is not described again.
            owner: whose collection it is: nobody else finds it. None: everyone's.

        Raises:
            IngestError: there is nothing that can be read; the message says why.
            ConfigError: `describe` where no model is there that could.
        """
        report = await self.documents.ingest(
            what,
            collection=collection,
            progress=progress,
            workers=workers,
            readers=readers,
            describe=await self._describer() if describe else None,
            owner=owner,
        )
        self.embedding.touch(key_of(collection, owner))
        return report

    async def search(
        self,
        query: str,
        *,
        collection: Where | None = None,
        top_k: int = 5,
        where: Mapping[str, Any] | None = None,
        cursor: str | None = None,
        diversity: float = 0.0,
        neighbors: int = 0,
        highlight: bool = True,
        rerank: str | Rerank | None = None,
        mode: Mode = "hybrid",
        rewrite: bool = False,
        owner: str | None = None,
    ) -> Hits:
        """The chunks that fit `query` best, best first; see `Retriever.search` for what each argument may be.

        Args:
            query: words, a question, code, a stack trace; any text with a word in it.
            collection: where to look: a name, several, or several with how much each counts; None is everywhere.
            top_k: how many at most.
            where: what a hit's document must satisfy, e.g. `{"kind": "code", "year": {"$gte": 2024}}`.
            cursor: that of the page before gives the next one.
            diversity: 0 to 1; above 0, hits that say the same as a better one give way to others.
            neighbors: how many chunks before and after each hit are given with it.
            highlight: mark where the query's words stand.
            rerank: who reads the best hits and puts them in order: `LIBRARY/MODEL`, or a function.
            mode: `"hybrid"`, `"lexical"` for words alone, `"semantic"` for meaning alone.
            rewrite: have a model say the query in other ways, too.
            owner: who searches: finds what is theirs beside what is everyone's.

        Raises:
            NotFound: no such collection, or nothing was ingested yet.
            ConfigError: an argument cannot be used as given; the message says which.
        """
        return await self.retriever.search(
            query,
            collection=collection,
            top_k=top_k,
            where=where,
            cursor=cursor,
            diversity=diversity,
            neighbors=neighbors,
            highlight=highlight,
            rerank=rerank,
            mode=mode,
            rewrite=rewrite,
            owner=owner,
        )

    async def answer(
        self,
        question: str,
        *,
        collection: Where | None = None,
        where: Mapping[str, Any] | None = None,
        session: str | None = None,
        model: str | None = None,
        user: str | None = None,
        origin: str | None = None,
        top_k: int = MOST_PASSAGES,
        tokens: int = TOKENS,
        cache: Cache = None,
        queue: float = 0.0,
        authenticated: bool = False,
        timeout: float = 60.0,
    ) -> Answer:
        """An answer from the ingested documents, with the passages that it rests on.

        Without any other model the embedded one quotes the sentences that answer best. A sentence that the passages do
        not bear is named in `unsupported`.

        Args:
            question: in plain words.
            collection: where to look, as in `search`; None is everywhere.
            where: as in `search`.
            session: the conversation that question and answer are kept in; the passages are not.
            model: as in `complete`.
            user: on whose behalf, for the ledger.
            origin: the application that asks, for the ledger.
            top_k: how many passages the model may read, at most `MOST_PASSAGES`; more are left out.
            tokens: how many all passages may have together.
            cache: as in `complete`; the passages are a part of the question.
            queue: as in `complete`.
            authenticated: as in `complete`; an authenticated user's own collections are searched, too.
            timeout: seconds for everything together.

        Raises:
            NotFound: no such collection, model or session, or nothing was ingested yet.
        """
        options = ChatOptions(
            model=model,
            timeout=timeout,
            cache=cache,
            queue=queue,
            prompt=_PROMPT,
            caller=Caller(user, origin, session, authenticated),
        )
        grounding = await self._ground(question, collection, where, top_k=top_k, tokens=tokens, options=options)
        reply = await self.chat.run(
            grounding.messages, session=session, sources=grounding.sources, remember=_asked(question), options=options
        )
        return await answer_of(reply, grounding, embed=self._meanings)

    async def answer_stream(
        self,
        question: str,
        *,
        collection: Where | None = None,
        where: Mapping[str, Any] | None = None,
        session: str | None = None,
        model: str | None = None,
        user: str | None = None,
        origin: str | None = None,
        top_k: int = MOST_PASSAGES,
        tokens: int = TOKENS,
        cache: Cache = None,
        queue: float = 0.0,
        authenticated: bool = False,
        timeout: float = 60.0,
        system: str | None = None,
        tools: Sequence[str] = (),
        approve: Approve | None = None,
        images: Sequence[Image] = (),
        hits: Sequence[Hit] = (),
        keep_partial: bool = False,
    ) -> AsyncGenerator[Delta | Answer, None]:
        """The same answer piece by piece: deltas as of `stream`, and after the last one the `Answer`.

        The arguments are those of `answer`, and those of `stream` that have the same names. `images` are pictures
        beside the question. `hits` are passages that somebody chose: the model reads them before those that are found,
        and with `top_k=0` nothing else is searched.
        """
        options = ChatOptions(
            model=model,
            timeout=timeout,
            cache=cache,
            queue=queue,
            prompt=_PROMPT,
            caller=Caller(user, origin, session, authenticated),
            approve=approve,
            keep_partial=keep_partial,
        )
        grounding = await self._ground(
            question, collection, where, top_k=top_k, tokens=tokens, options=options, chosen=hits
        )
        *before, last = grounding.messages
        asked = self.chat.stream(
            [*before, replace(last, images=tuple(images))],
            session=session,
            system=system,
            tools=tools,
            sources=grounding.sources,
            remember=[Message("user", question, tuple(images))],
            options=options,
        )
        async with aclosing(asked) as deltas, aclosing(streamed(deltas, grounding, embed=self._meanings)) as pieces:
            async for piece in pieces:
                yield piece

    async def _ground(
        self,
        question: str,
        collection: Where | None,
        where: Mapping[str, Any] | None,
        *,
        top_k: int,
        tokens: int,
        options: ChatOptions,
        chosen: Sequence[Hit] = (),
    ) -> Grounding:
        hits: Sequence[Hit] = ()
        if top_k or not chosen:
            hits = await self.retriever.search(
                question,
                collection=collection,
                where=where,
                top_k=top_k,
                neighbors=1,
                highlight=False,
                owner=options.caller.owner,
            )
        known = {hit.chunk_id for hit in chosen}
        passages = [*chosen, *(hit for hit in hits if hit.chunk_id not in known)]
        return ground(question, passages, await self.prompts.render(_PROMPT), tokens=tokens, chosen=bool(chosen))

    async def _meanings(self, texts: Sequence[str]) -> "npt.NDArray[np.float32]":
        """Whether a sentence says what a passage does: compared on this machine, so it costs nothing."""
        return await self.embedders.get(BUNDLED).embed(texts)

    async def _say_otherwise(self, query: str) -> list[str]:
        """Other ways to say a query, by the first model of the chain; none where there is only the last resort."""
        options = ChatOptions(max_tokens=_MOST_REWRITTEN, timeout=_REWRITE_WITHIN, prompt=_REWRITE)
        asked = (Message("system", await self.prompts.render(_REWRITE)), Message("user", query))
        reply = await self.chat.run(asked, options=options)
        if any(providers.last_resort(attempt.provider) for attempt in reply.attempts):
            return []
        return [line.strip() for line in reply.text.splitlines() if line.strip()][:_WAYS]

    async def _describer(self) -> Describe:
        """Asks the models of the chain."""
        if all(providers.last_resort(model.provider) for model in await self.models.resolve(None)):
            raise ConfigError(
                "describe=True needs a language model; add one with `toolkit models add`, or leave it out."
            )
        system = Message("system", await self.prompts.render(_DESCRIBE))
        options = ChatOptions(response_model=list[str], prompt=_DESCRIBE)

        async def describe(text: str, passages: Sequence[str]) -> list[str]:
            numbered = "\n\n".join(f"[{number}]\n{passage}" for number, passage in enumerate(passages, 1))
            asked = Message("user", f"The document:\n\n{text}\n\nThe passages:\n\n{numbered}")
            said: list[str] = (await self.chat.run((system, asked), options=options)).parsed
            return said

        return describe


def _asked(question: str) -> tuple[Message]:
    """What the session keeps: the question without the passages."""
    return (Message("user", question),)
