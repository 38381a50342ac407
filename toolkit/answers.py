"""Asking: one question, the same to several models, many questions, and a question of a conversation once more."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Literal

from toolkit.conversation import conversation
from toolkit.display.shown import Comparison
from toolkit.errors import CassetteError, ConfigError, DatabaseError, NotFound, ToolkitError
from toolkit.jobs.job import Generation
from toolkit.jobs.jobs import Jobs
from toolkit.messages import Caller, Delta, Message, Reply, ToolSpec
from toolkit.sessions.chat import Chat, ChatOptions
from toolkit.sessions.store import Sessions
from toolkit.sessions.turn import Approve

Prompt = str | Message | Sequence[Message | Mapping[str, Any]]
Fallbacks = Sequence[str] | Literal["chain"]


class Answers:
    """What the toolkit can be asked; its rooms are those of `Toolkit`."""

    chat: Chat
    sessions: Sessions
    jobs: Jobs

    async def complete(
        self,
        prompt: Prompt,
        *,
        model: str | None = None,
        session: str | None = None,
        user: str | None = None,
        origin: str | None = None,
        system: str | None = None,
        tools: str | Sequence[str] = (),
        offered: Sequence[ToolSpec] = (),
        tool_choice: str | None = None,
        response_model: Any = None,
        validation_context: Any = None,
        validation_retries: int = 2,
        fallbacks: Fallbacks = (),
        requirements: Mapping[str, Any] | None = None,
        hedge: bool | float = False,
        scope: str = "global",
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
        extra: Mapping[str, Any] | None = None,
        cache: bool | Literal["refresh"] | None = None,
        queue: float = 0.0,
        approve: Approve | None = None,
        prompt_id: str | None = None,
        authenticated: bool = False,
        timeout: float = 60.0,
    ) -> Reply:
        """The answer of the first model that gives one.

        Args:
            prompt: a text, a message, or messages, oldest first.
            model: a name or id in the table, the vendor's own name of a model there, `provider/model`, or
                `"default"`; None is the chain of `scope`.
            session: the conversation that the turn continues and is kept in.
            user: on whose behalf, for the ledger.
            origin: the application that asks, for the ledger.
            system: instructions for this turn; not kept in the session.
            tools: names of tools that the model may have called.
            offered: tools that the caller runs. A reply that asks for them, in `reply.message.tool_calls`, is the last
                of the turn; the next turn begins with their results, messages of the role `tool`. Not with `tools`.
            tool_choice: `"required"`: the model must ask for a tool; `"none"`: for none; a tool's name: for that one.
            response_model: the type that the answer must fit, any that pydantic understands: a `BaseModel`, a
                dataclass, `list[City]`, `Literal["yes", "no"]`. Then `reply.parsed` is the instance and `reply.text`
                its JSON, in which a type that is no object stands under the key `"answer"`. A mapping is a JSON Schema
                of an object, which `reply.parsed` then is.
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
            cache: give the answer again that the same question got before, and keep this one; `"refresh"` asks anew and
                keeps. None is as `TOOLKIT_CACHE_TTL` says: without it nothing is kept.
            queue: seconds to wait, at most, where a limit is used up.
            approve: asked before a destructive tool is called, with the call and the tool; None: what is offered in
                `tools` may be called.
            prompt_id: the prompt of the library that it was made with, for `cache.invalidate`.
            authenticated: `user` is proven; somebody else's session is not found.
            timeout: seconds for everything together.

        Raises:
            NotFound: no such model, session or tool.
            SessionExpired: the session's time ran out.
            AllModelsFailed: nobody answered; `attempts` says why.
            DeadlineExceeded: nobody answered in time.
            InvalidRequest: a vendor refused the request itself.
            AnswerInvalid: no answer fitted `response_model`.
            RateLimited: a limit of the user or the application is used up; `retry_after` says until when.
            BudgetExceeded: what may be spent today is spent.
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
            stop=_several(stop),
            seed=seed,
            extra=dict(extra or {}),
            timeout=timeout,
            cache=cache,
            queue=queue,
            approve=approve,
            prompt=prompt_id,
            offered=tuple(offered),
            tool_choice=tool_choice,
            caller=Caller(user, origin, session, authenticated),
        )
        return await self.chat.run(
            conversation(prompt), session=session, system=system, tools=_several(tools), options=options
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
        tools: str | Sequence[str] = (),
        offered: Sequence[ToolSpec] = (),
        tool_choice: str | None = None,
        response_model: Any = None,
        validation_context: Any = None,
        validation_retries: int = 2,
        fallbacks: Fallbacks = (),
        requirements: Mapping[str, Any] | None = None,
        hedge: bool | float = False,
        scope: str = "global",
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
        extra: Mapping[str, Any] | None = None,
        cache: bool | Literal["refresh"] | None = None,
        queue: float = 0.0,
        approve: Approve | None = None,
        prompt_id: str | None = None,
        authenticated: bool = False,
        timeout: float = 60.0,
        on_interrupt: Literal["continue", "restart", "raise"] = "continue",
        keep_partial: bool = False,
    ) -> AsyncGenerator[Delta, None]:
        """The same as `complete`, piece by piece; the last piece carries the whole reply.

        `on_interrupt` says what happens when an answer breaks off after it began: the next model goes on from the
        text so far, or begins again (announced by a piece with `restarted`), or `StreamInterrupted` is raised.

        With `response_model` the text is JSON, and `delta.partial` is what it is so far, as Python's objects: not yet
        validated, and in long answers a moment old. An answer that breaks off begins again, and so does one that does
        not fit, announced in the same way.

        With `keep_partial` the session keeps what was said of an answer that is cancelled or closed before its end, and
        marks the message as `stopped`; else it keeps nothing of it.
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
            stop=_several(stop),
            seed=seed,
            extra=dict(extra or {}),
            timeout=timeout,
            cache=cache,
            queue=queue,
            approve=approve,
            prompt=prompt_id,
            offered=tuple(offered),
            tool_choice=tool_choice,
            caller=Caller(user, origin, session, authenticated),
            on_interrupt=on_interrupt,
            keep_partial=keep_partial,
        )
        said = self.chat.stream(
            conversation(prompt), session=session, system=system, tools=_several(tools), options=options
        )
        async with aclosing(said) as deltas:  # a stream that is left early lets go of its session at once
            async for delta in deltas:
                yield delta

    async def compare(self, prompt: Prompt, *, models: Sequence[str], **asked: Any) -> Comparison[Reply | ToolkitError]:
        """The same question to several models at once: each one's answer, or why there is none, by its name.

        Args:
            prompt: as for `complete`.
            models: names, ids or `provider/model`, at least one, each once.
            asked: the other keywords of `complete`, but `model`, `fallbacks` and `session`.

        Raises:
            ConfigError: no model is named, or one twice.
        """
        if not models or len(set(models)) < len(models):
            raise ConfigError("Name at least one model to compare, and each once.")
        for name in ("model", "fallbacks", "session"):
            if name in asked:
                raise ConfigError(f"compare takes no {name!r}: each of `models` is asked alone, and nothing is kept.")

        async def one(model: str) -> Reply | ToolkitError:
            try:
                return await self.complete(prompt, model=model, **asked)
            except CassetteError:  # not an answer of the model's: a replay must fail
                raise
            except ToolkitError as error:
                return error

        return Comparison(zip(models, await asyncio.gather(*map(one, models)), strict=True))

    async def edit(self, session: str, at: int, prompt: Prompt, **asked: Any) -> Reply:
        """Say something else in a conversation: in a branch that begins before its message `at`.

        The old branch stays as it is; `reply.session_id` is the new one's.

        Args:
            session: whose message is said differently.
            at: its position, 1 is the first; a message of a user.
            prompt: what is said instead.
            asked: the other keywords of `complete`.

        Raises:
            ConfigError: there is no message of a user at that place.
            NotFound, SessionExpired: as for `complete`.
        """
        owner = Caller(asked.get("user"), authenticated=asked.get("authenticated", False)).owner
        said = await self.sessions.messages(session, owner=owner)
        if not 1 <= at <= len(said) or said[at - 1].role != "user":
            raise ConfigError(f"Message {at} of session {session} is not a question of a user; name one that is.")
        branch = await self.sessions.fork(session, at=at - 1, owner=owner)
        try:
            return await self.complete(prompt, session=branch.id, **asked)
        except BaseException:
            with suppress(DatabaseError):  # why nobody answered is what is to be told
                await self.sessions.delete(branch.id, owner=owner)
            raise

    async def regenerate(self, session: str, **asked: Any) -> Reply:
        """Ask the last question of a conversation once more, in a branch of its own; see `edit`.

        Raises:
            NotFound: nothing was asked in it yet, or there is no such session.
        """
        owner = Caller(asked.get("user"), authenticated=asked.get("authenticated", False)).owner
        said = await self.sessions.messages(session, owner=owner)
        at = max((place for place, message in enumerate(said, 1) if message.role == "user"), default=0)
        if not at:
            raise NotFound(f"Nothing was asked in session {session} yet; ask something first.")
        return await self.edit(session, at, said[at - 1], **asked)

    async def batch(
        self,
        requests: Iterable[Any] | AsyncIterable[Any],
        *,
        concurrency: int = 8,
        job: str | None = None,
        progress: Callable[[int, int | None], Any] | None = None,
        vendor_batch: bool = False,
        **asked: Any,
    ) -> AsyncGenerator[Reply | ToolkitError, None]:
        """Many questions, some at a time, answered in their order; an error is given as such and the others go on.

        Args:
            requests: prompts, or mappings with a `prompt` and other keywords of `complete`.
            concurrency: questions at once.
            job: the name under which it is kept: the same call goes on where it was left or killed.
            progress: told after each question how many have their outcome, and of how many.
            vendor_batch: by the vendor's own batch API, at half the price and within a day; needs `job` and a `model`.
            asked: keywords of `complete` for all of them; a request's own win.

        Raises:
            ConfigError: it is no batch, or cannot be kept.
            Conflict: the job was begun with other requests, or was cancelled.
        """
        batch = self.jobs.batch(
            requests, concurrency=concurrency, job=job, progress=progress, vendor_batch=vendor_batch, **asked
        )
        async with aclosing(batch) as answers:
            async for answer in answers:
                yield answer

    async def generate(
        self, prompt: Prompt, *, user: str | None = None, origin: str | None = None, **asked: Any
    ) -> Generation:
        """Accept a question and answer it in the background; `jobs.get` and `jobs.wait` have what came of it.

        It survives a restart: a server, or `toolkit jobs resume`, goes on with what a killed process left.

        Args:
            prompt: as for `complete`.
            user: on whose behalf.
            origin: the application that asks.
            asked: the other keywords of `complete` that JSON can hold.

        Raises:
            ConfigError: it cannot be kept.
        """
        return await self.jobs.generate({**asked, "prompt": prompt}, user=user, origin=origin)


def _several(value: str | Sequence[str]) -> tuple[str, ...]:
    """One text is one of them, not its letters."""
    return (value,) if isinstance(value, str) else tuple(value)


def _fallbacks(value: Fallbacks) -> Fallbacks:
    return "chain" if value == "chain" else _several(value)
