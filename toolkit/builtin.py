"""The tools that speak of more than one room: asking, chatting, models and usage."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from math import inf
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from toolkit.errors import ToolkitError
from toolkit.messages import Attempt, Json, Reply
from toolkit.session_tools import session_tools
from toolkit.tools.tool import Tool, ToolContext, ToolResult, tool

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

ROWS = 30
"""Rows of a usage report that are shown where nobody wants more; the others are one."""

Format = Literal["concise", "detailed"]
Days = Annotated[int, Field(ge=1, le=3650, description="How many days back")]
_FIGURES = ("key", "calls", "failures", "input_tokens", "output_tokens", "cost_usd", "unpriced_calls")


def builtin_tools(tk: "Toolkit") -> list[Tool]:
    """The tools over `tk`, in the order in which they are listed."""
    return [*_answering(tk), *_models(tk), *session_tools(tk)]


def _answering(tk: "Toolkit") -> list[Tool]:
    # Who asks a model has the deadline of the question; the registry needs none beside it.
    @tool(title="Ask the documents", open_world=True, presets=("default", "search"), timeout=inf)
    async def ask(
        context: ToolContext,
        question: Annotated[str, Field(min_length=1, description="The question, in plain words")],
        collection: Annotated[str, Field(description="Where to look; empty: everywhere")] = "",
        session: Annotated[str, Field(description="Session that keeps question and answer")] = "",
        response_format: Annotated[Format, Field(description="Detailed: with the text of what is cited")] = "concise",
    ) -> ToolResult:
        """Have a model answer from the ingested documents, citing chunks as [n]; use it for a ready answer, and semantic_search, which costs nothing, where you want to read yourself."""  # noqa: E501 - one paragraph is one description
        await context.progress(0, None, "searching and asking")
        answer = await tk.answer(
            question,
            collection=collection or None,
            session=session or None,
            user=context.user,
            origin=context.origin,
            authenticated=context.authenticated,
        )
        cited: list[Json] = [
            {"n": c.number, "chunk_id": c.chunk_id, "source": c.source, "lines": list(c.lines)}
            for c in answer.citations
        ]
        marks = [f"[{c.number}] {c.chunk_id} {c.source}:{c.lines[0]}-{c.lines[1]}" for c in answer.citations]
        if response_format == "detailed":
            for n, c in enumerate(answer.citations):
                [chunk] = await tk.documents.chunk(c.chunk_id, owner=context.owner)
                cited[n] |= {"text": chunk.text}
                marks[n] += f"\n{chunk.text}"
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
        """Ask another language model for a second opinion. It sees nothing of this conversation: put all it must know into the message. Says who answered, who failed before, and the cost."""  # noqa: E501 - one paragraph is one description
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
    async def list_models(
        response_format: Annotated[Format, Field(description="Detailed: with their settings")] = "concise",
    ) -> ToolResult:
        """List the models that chat, ask and compare_models can use, in the order in which they are tried; use it before naming one."""  # noqa: E501 - one paragraph is one description
        rows = [
            {
                "name": m.name,
                "provider": m.provider,
                "model": m.model,
                "scope": m.scope,
                "priority": m.priority,
                "enabled": m.enabled,
                "default": m.is_default,
                **({"settings": dict(m.config)} if response_format == "detailed" else {}),
            }
            for m in await tk.models.list()
        ]
        text = "\n".join(
            f"{r['priority']} {r['name']} ({r['provider']}/{r['model']}, {r['scope']})"
            f"{'' if r['enabled'] else ' disabled'}{' default' if r['default'] else ''}"
            f"{' ' + json.dumps(r['settings'], ensure_ascii=False) if r.get('settings') else ''}"
            for r in rows
        )
        return ToolResult(text or "There are no models.", {"models": rows})

    @tool(title="Compare models", open_world=True, presets=("models",), timeout=inf)
    async def compare_models(
        context: ToolContext,
        question: Annotated[str, Field(min_length=1, description="What all of them are asked")],
        models: Annotated[list[str], Field(min_length=1, max_length=8, description="Names, or provider/model")],
    ) -> ToolResult:
        """Ask several models the same at once; use it to compare their answers, time and cost. They see nothing of this conversation."""  # noqa: E501 - one paragraph is one description
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
        response_format: Annotated[Format, Field(description="Detailed: every row, with times and cache")] = "concise",
    ) -> ToolResult:
        """Report calls, failures, tokens and cost of all models; use it when the user asks what was used or spent."""
        rows = [asdict(row) for row in await tk.usage.by(by, days=days)]
        if response_format == "concise":
            shown = [{name: row[name] for name in _FIGURES} for row in rows]
            rows = [*_folded(shown[:-ROWS]), *shown[-ROWS:]] if by == "day" else [*shown[:ROWS], *_folded(shown[ROWS:])]
        text = "\n".join(map(_usage_line, rows))
        return ToolResult(text or f"No calls in the last {days} days.", {"by": by, "days": days, "rows": rows})

    return [list_models, compare_models, usage_report]


def _folded(rows: Sequence[Json]) -> list[Json]:
    """One row that stands for all of `rows`; none for none."""
    if not rows:
        return []
    costs = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    whole = {name: sum(row[name] for row in rows) for name in _FIGURES if name not in ("key", "cost_usd")}
    return [{"key": f"({len(rows)} others)", **whole, "cost_usd": sum(costs) if costs else None}]


def _usage_line(row: Json) -> str:
    unpriced = f" ({row['unpriced_calls']} at unknown price)" if row["unpriced_calls"] else ""
    also = f", {row['milliseconds_mean']:.0f} ms, {row['cached']} from the cache" if "cached" in row else ""
    return (
        f"{row['key']}: {row['calls']} calls, {row['failures']} failed, {row['input_tokens']} in, "
        f"{row['output_tokens']} out, {_dollars(row['cost_usd'])}{unpriced}{also}"
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


def _dollars(amount: float | None) -> str:
    return "cost unknown" if amount is None else f"${amount:.6f}".rstrip("0").rstrip(".")
