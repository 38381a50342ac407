"""Cards of what was said, and of who was asked for it."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.display.card import Block, Card, Cell, Code, Figure, Notes, State, Text, line
from toolkit.display.words import dollars, tokens
from toolkit.redaction import redact

if TYPE_CHECKING:
    from toolkit.attempts import Attempt, Usage
    from toolkit.messages import CalledTool, Completion, Delta, Message, Reply, Source, ToolCall, ToolSpec

_MOST_ARGUMENTS = 400


def reply(self: "Reply") -> Card:
    """The answer, who gave it, what it cost, and who was asked before; not how long it took."""
    facts: dict[str, Cell] = {
        "by": self.model,
        **spent(self.usage, self.cost_usd),
        "cached": self.cached,
        "stopped": self.message.stopped,
        "cut off at the length allowed": self.finish_reason == "length",
        "without the oldest messages": self.trimmed or None,
    }
    return Card(facts=facts, body=(*_said(self.message), *failed_before(self.attempts)), kind="Answer", whole=True)


def reply_row(self: "Reply") -> Mapping[str, Any]:
    """The answer, with the sums of its attempts."""
    used = self.usage
    return {
        "model": self.model,
        "text": self.text,
        "parsed": self.parsed,
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cost_usd": self.cost_usd,
        "milliseconds": self.milliseconds,
        "attempts": len(self.attempts),
        "cached": self.cached,
        "finish_reason": self.finish_reason,
        "session_id": self.session_id,
        "call_id": self.call_id,
    }


def message(self: "Message") -> Card:
    """Who said it, and what: an assistant's words as Markdown, everybody else's as they are."""
    facts: dict[str, Cell] = {
        "images": len(self.images) or None,
        "pinned": self.pinned,
        "stopped": self.stopped,
    }
    return Card(self.role, facts, _said(self), whole=True)


def completion(self: "Completion") -> Card:
    """What a vendor said."""
    used = spent(self.usage, None, priced=False) if self.usage else {}
    return Card(facts={"ended": self.finish_reason, **used, "tier": self.tier}, body=_said(self.message), whole=True)


def delta(self: "Delta") -> Card:
    """The words of a piece; of the last one, that the answer is whole."""
    facts: dict[str, Cell] = {
        "begins again": self.restarted,
        "tools": ", ".join(each.call.name for each in self.called),
        "whole": self.reply is not None,
    }
    return Card(facts=facts, body=(Text(self.text),) if self.text else ())


def attempt(self: "Attempt") -> Card:
    """Who was asked, and what came of it."""
    told = f"{self.provider}/{self.model}"
    facts: dict[str, Cell] = {
        "model": Code(told) if told != self.name else None,
        "outcome": State("answered", good=True) if self.ok else State(self.error or "", good=False),
        "why": line(self.message, _MOST_ARGUMENTS) if self.message else None,
        **(spent(self.usage, None if self.cost_nano_usd is None else self.cost_nano_usd / 1e9) if self.usage else {}),
        "key": Code(self.key) if self.key else None,
        "uncounted": self.uncounted,
    }
    return Card(self.name, facts, kind="Attempt")


def usage(self: "Usage") -> Card:
    """The counts that are not 0."""
    counts = {name.removesuffix("_tokens").replace("_", " "): count for name, count in self.to_json().items()}
    return Card(facts=counts or {"tokens": 0}, kind="Tokens")


def tool_call(self: "ToolCall") -> Card:
    """The tool, and with what it is to be called."""
    return Card(self.name, {"arguments": Code(_arguments(self)) if self.arguments else None}, kind="Tool")


def called_tool(self: "CalledTool") -> Card:
    """The call, and what came of it."""
    outcome = "refused" if self.refused else "failed" if self.error else "done"
    facts: dict[str, Cell] = {
        "arguments": Code(_arguments(self.call)) if self.call.arguments else None,
        "outcome": State(outcome, good=not (self.error or self.refused)),
    }
    return Card(self.call.name, facts, (Text(self.result, code=True),), kind="Tool")


def tool_spec(self: "ToolSpec") -> Card:
    """The tool, as a model is told of it."""
    told = ", ".join(self.parameters.get("properties", {}))
    return Card(self.name, {"arguments": Code(told) if told else None}, (self.description,), kind="Tool")


def source(self: "Source") -> Card:
    """The passage."""
    return Card(self.title, body=(Text(self.text),), whole=True)


def spent(used: "Usage", cost: float | None, *, priced: bool = True) -> dict[str, Cell]:
    """Tokens and cost, where there are any."""
    if not used.total_tokens:
        return {}
    count = Figure(tokens(used.input_tokens, used.output_tokens))
    return {"tokens": count, **({"cost": Figure(dollars(cost).removeprefix("cost "))} if priced else {})}


def failed_before(attempts: "Sequence[Attempt]") -> list[Notes]:
    """Who did not answer, and why; nothing where nobody failed."""
    failed = [each for each in attempts if not each.ok]
    others = dict.fromkeys(each.name for each in failed if each.name != attempts[-1].name)
    if not failed:
        return []
    reasons = dict.fromkeys(f"{each.name}: {each.error}. {each.message or ''}".strip() for each in failed)
    return [Notes(f"fell back from {', '.join(others)}" if others else "tried again", list(reasons))]


def _said(self: "Message") -> list[Block]:
    told: list[Block] = []
    if self.text:
        told.append(self.text if self.role == "assistant" else Text(self.text, code=self.role == "tool"))
    told += [Text(f"{call.name} {_arguments(call)}", code=True) for call in self.tool_calls]
    return told


def _arguments(call: "ToolCall") -> str:
    return line(redact(json.dumps(call.arguments, default=str, ensure_ascii=False)), _MOST_ARGUMENTS)
