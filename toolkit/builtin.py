"""The tools that speak of more than one room: asking, chatting, models, usage and sessions."""

from collections import Counter
from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from toolkit.errors import ToolkitError
from toolkit.messages import Attempt, Json, Reply
from toolkit.tools.tool import Tool, ToolContext, ToolResult, tool

if TYPE_CHECKING:
    from toolkit.sessions.session import Session
    from toolkit.toolkit import Toolkit

Days = Annotated[int, Field(ge=1, le=3650, description="How many days back")]
SessionId = Annotated[str, Field(description="Id of the session")]


def builtin_tools(tk: "Toolkit") -> list[Tool]:
    """The tools over `tk`, in the order in which they are listed."""
    return [*_answering(tk), *_models(tk), *_sessions(tk)]


def _answering(tk: "Toolkit") -> list[Tool]:
    # Who asks a model has the deadline of the question; the registry needs none beside it.
    @tool(title="Ask the documents", open_world=True, presets=("default", "search"), timeout=inf)
    async def ask(
        context: ToolContext,
        question: Annotated[str, Field(min_length=1, description="The question, in plain words")],
        collection: Annotated[str, Field(description="Where to look; empty: everywhere")] = "",
        session: Annotated[str, Field(description="Session that keeps question and answer")] = "",
    ) -> ToolResult:
        """Answer a question from the ingested documents and cite the chunks; semantic_search only finds them."""
        await context.progress(0, None, "searching and asking")
        answer = await tk.answer(
            question,
            collection=collection or None,
            session=session or None,
            user=context.user,
            origin=context.origin,
            authenticated=context.authenticated,
        )
        cited = [
            {"n": c.number, "chunk_id": c.chunk_id, "source": c.source, "lines": list(c.lines)}
            for c in answer.citations
        ]
        marks = [f"[{c.number}] {c.chunk_id} {c.source}:{c.lines[0]}-{c.lines[1]}" for c in answer.citations]
        text = "\n".join([answer.text, *marks, provenance(answer.reply)])
        return ToolResult(text, {"answer": answer.text, "citations": cited, **told(answer.reply)})

    @tool(title="Chat with another model", open_world=True, presets=("default", "models"), timeout=inf)
    async def chat(
        context: ToolContext,
        message: Annotated[str, Field(min_length=1, description="What to say")],
        session: Annotated[str, Field(description="Session to continue; empty: none")] = "",
        model: Annotated[str, Field(description="A model's name, or provider/model; empty: the chain")] = "",
        system: Annotated[str, Field(description="Instructions for this answer")] = "",
    ) -> ToolResult:
        """Ask another language model: the first in the chain that answers; says who failed before, and the cost."""
        await context.progress(0, None, "asking")
        reply = await tk.complete(
            message,
            model=model or None,
            session=session or None,
            system=system or None,
            user=context.user,
            origin=context.origin,
            authenticated=context.authenticated,
        )
        return ToolResult(f"{reply.text}\n{provenance(reply)}", {"text": reply.text, **told(reply)})

    return [ask, chat]


def _models(tk: "Toolkit") -> list[Tool]:
    @tool(title="List models", read_only=True, idempotent=True, presets=("models",))
    async def list_models() -> ToolResult:
        """List the models in the order in which they are tried, with provider, state and default."""
        rows = [
            {
                "name": m.name,
                "provider": m.provider,
                "model": m.model,
                "scope": m.scope,
                "priority": m.priority,
                "enabled": m.enabled,
                "default": m.is_default,
            }
            for m in await tk.models.list()
        ]
        text = "\n".join(
            f"{r['priority']} {r['name']} ({r['provider']}/{r['model']}, {r['scope']})"
            f"{'' if r['enabled'] else ' disabled'}{' default' if r['default'] else ''}"
            for r in rows
        )
        return ToolResult(text or "There are no models.", {"models": rows})

    @tool(title="Compare models", open_world=True, presets=("models",), timeout=inf)
    async def compare_models(
        context: ToolContext,
        question: Annotated[str, Field(min_length=1, description="What all of them are asked")],
        models: Annotated[list[str], Field(min_length=1, max_length=8, description="Names, or provider/model")],
    ) -> ToolResult:
        """Ask several models the same at once and compare answers, time and cost; chat asks only one."""
        await context.progress(0, len(models), "asking")
        answers = await tk.compare(question, models=models, user=context.user, origin=context.origin)
        parts = [f"## {name}\n{_compared(answer)}" for name, answer in answers.items()]
        rows = [
            {"model": name, "error": str(answer)}
            if isinstance(answer, ToolkitError)
            else {"model": name, "text": answer.text, **told(answer)}
            for name, answer in answers.items()
        ]
        return ToolResult("\n\n".join(parts), {"answers": rows})

    @tool(title="Usage report", read_only=True, idempotent=True, presets=("models",))
    async def usage_report(
        by: Annotated[
            Literal["model", "user", "origin", "day", "provider"], Field(description="What to group by")
        ] = "model",
        days: Days = 30,
    ) -> ToolResult:
        """Report calls, failures, tokens and cost per model, user, origin, provider or day."""
        rows = [asdict(row) for row in await tk.usage.by(by, days=days)]
        text = "\n".join(map(_usage_line, rows))
        return ToolResult(text or f"No calls in the last {days} days.", {"by": by, "days": days, "rows": rows})

    return [list_models, compare_models, usage_report]


def _sessions(tk: "Toolkit") -> list[Tool]:
    @tool(title="Create a session", presets=("sessions",))
    async def create_session(
        context: ToolContext,
        ttl_seconds: Annotated[int, Field(ge=0, description="Seconds it lives unused; 0: the default")] = 0,
        title: Annotated[str, Field(description="What it is about")] = "",
    ) -> ToolResult:
        """Create a conversation that chat and ask can continue; each use extends its time to live."""
        session = await tk.sessions.create(
            ttl=ttl_seconds or None, title=title or None, user=context.user, origin=context.origin
        )
        return _session_result(session)

    @tool(title="Read a session", read_only=True, idempotent=True, presets=("sessions",))
    async def get_session(context: ToolContext, session: SessionId) -> ToolResult:
        """Read a session: when it expires and what was said in it."""
        found, said_in_it = await tk.sessions.read(session, owner=context.owner)
        messages = [m.to_json() for m in said_in_it]
        said = "\n".join(f"{m['role']}: {m['text']}" for m in messages)
        return ToolResult(f"{_session_line(found)}\n{said}".strip(), {**_session_json(found), "messages": messages})

    @tool(title="List sessions", read_only=True, idempotent=True, presets=("sessions",))
    async def list_sessions(
        context: ToolContext, limit: Annotated[int, Field(ge=1, le=200, description="How many at most")] = 20
    ) -> ToolResult:
        """List the live sessions, last used first."""
        found = await tk.sessions.list(user=context.user, limit=limit)
        text = "\n".join(map(_session_line, found)) or "There are no live sessions."
        return ToolResult(text, {"sessions": [_session_json(s) for s in found]})

    @tool(title="Extend a session", idempotent=True, presets=("sessions",))
    async def extend_session(
        context: ToolContext,
        session: SessionId,
        ttl_seconds: Annotated[int, Field(ge=1, description="Seconds to live from now")],
    ) -> ToolResult:
        """Give a session a new time to live, counted from now."""
        return _session_result(await tk.sessions.extend(session, ttl=ttl_seconds, owner=context.owner))

    @tool(title="Delete a session", destructive=True, idempotent=True, presets=("sessions",))
    async def delete_session(context: ToolContext, session: SessionId) -> ToolResult:
        """Delete a session with everything that was said in it."""
        await tk.sessions.delete(session, owner=context.owner)
        return ToolResult(f"Session {session} is deleted.", {"id": session, "deleted": True})

    return [create_session, get_session, list_sessions, extend_session, delete_session]


def _usage_line(row: Json) -> str:
    unpriced = f" ({row['unpriced_calls']} at unknown price)" if row["unpriced_calls"] else ""
    return (
        f"{row['key']}: {row['calls']} calls, {row['failures']} failed, {row['input_tokens']} in, "
        f"{row['output_tokens']} out, {_dollars(row['cost_usd'])}{unpriced}"
    )


def _compared(answer: Reply | ToolkitError) -> str:
    return f"No answer: {answer}" if isinstance(answer, ToolkitError) else f"{answer.text}\n{provenance(answer)}"


def provenance(reply: Reply) -> str:
    """Who answered, who failed before and why, tokens, cost and time, in one line."""
    # The same failure twice is one line with a count: a retry seldom finds another one.
    failures = Counter((a.name, f"{a.error}: {(a.message or '').rstrip('.')}") for a in reply.attempts if not a.ok)
    failed = "".join(
        f"; {name} failed{f' {times} times' if times > 1 else ''} ({why})" for (name, why), times in failures.items()
    )
    kept = f"; session {reply.session_id}" if reply.session_id else ""
    cached = " from the cache" if reply.cached else ""
    cut = f"; {reply.trimmed} older messages were left out" if reply.trimmed else ""
    return (
        f"(answered by {reply.model}{cached}{failed}{cut}; {reply.usage.total_tokens} tokens, "
        f"{_dollars(reply.cost_usd)}, {reply.milliseconds:.0f} ms{kept})"
    )


def told(reply: Reply) -> Json:
    """Who answered, at what cost, and who failed before, as JSON."""
    return {
        "model": reply.model,
        "session": reply.session_id,
        "call_id": reply.call_id,
        "tokens": reply.usage.total_tokens,
        "cost_usd": reply.cost_usd,
        "milliseconds": round(reply.milliseconds),
        "cached": reply.cached,
        "trimmed": reply.trimmed,
        "attempts": [_attempt(a) for a in reply.attempts],
    }


def _attempt(attempt: Attempt) -> Json:
    told: Json = {"model": attempt.name, "ok": attempt.ok, "milliseconds": round(attempt.milliseconds)}
    if not attempt.ok:
        told |= {"error": attempt.error, "message": attempt.message, "status": attempt.status}
    return told


def _session_json(session: "Session") -> Json:
    return {
        "id": session.id,
        "title": session.title,
        "expires_at": session.expires_at.isoformat(timespec="seconds"),
        "ttl_seconds": session.ttl_seconds,
    }


def _session_line(session: "Session") -> str:
    title = f" {session.title!r}" if session.title else ""
    return f"{session.id}{title} expires at {session.expires_at.isoformat(timespec='seconds')}"


def _session_result(session: "Session") -> ToolResult:
    return ToolResult(_session_line(session), _session_json(session))


def _dollars(amount: float | None) -> str:
    return "cost unknown" if amount is None else f"${amount:.6f}".rstrip("0").rstrip(".")
