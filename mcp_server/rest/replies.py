"""What is told of an answer, of the models that were asked for it, and of why there is none."""

from collections.abc import Mapping
from typing import Any, Self

from mcp_server.refusals import Refusal, refusal_of
from mcp_server.rest.shapes import Json, Said, Told, told
from toolkit.messages import Attempt, Message, Reply, Usage


class ErrorTold(Told):
    """Why there is none."""

    type: str = told("The kind of error, in OpenAI's and Anthropic's words.", "not_found_error")
    message: Said = told("One sentence or two for the person who must act on it.", "There is no session 'x'.")
    code: str | None = told("A word that programs compare.", "not_found", default=None)
    param: str | None = told("The field of the request that is wrong.", "ttl_seconds", default=None)
    attempts: list["AttemptTold"] | None = told("The models that were asked.", [], default=None)

    @classmethod
    def of(cls, error: Exception) -> Self:
        """The same that the request would have been refused with."""
        refusal: Refusal = refusal_of(error)
        return cls.model_validate(refusal.body()["error"])


class Refused(Told):
    """The body of every answer whose status is not 2xx: OpenAI's error object and Anthropic's at once."""

    type: str = told("Always `error`.", "error")
    error: ErrorTold = told("What is wrong.", {"type": "not_found_error", "message": "There is no session 'x'."})
    request_id: str | None = told("The id under which the server's log has it.", "req_0199…", default=None)


class Tokens(Told):
    """Tokens, as the vendors count them."""

    input_tokens: int = told("All that went in, cached ones included.", 412)
    output_tokens: int = told("All that came out, reasoning included.", 96)
    cached_tokens: int = told("The part that was read from the vendor's cache.", 0)
    cache_write_tokens: int = told("The part that was written to it.", 0)
    reasoning_tokens: int = told("The part that was thought and not said.", 0)
    total_tokens: int = told("In and out together.", 508)

    @classmethod
    def of(cls, usage: Usage) -> Self:
        """The counts of an answer."""
        return cls.model_validate(usage)


class AttemptTold(Told):
    """One model asked once, whether it answered or not."""

    name: str = told("The model's name in the table, or `provider/model`.", "small")
    provider: str = told("The vendor.", "openai")
    model: str = told("The vendor's name of the model.", "gpt-4o-mini")
    error: str | None = told("The class of the error; null: it answered.", "RateLimited", default=None)
    message: Said | None = told("The error in a sentence, without secrets.", "Too many requests.", default=None)
    status: int | None = told("The vendor's HTTP status.", 429, default=None)
    request_id: str | None = told("The vendor's id of the request.", "req_1", default=None)
    milliseconds: float = told("From the question to the answer or the error.", 812.5, default=0.0)
    usage: dict[str, int] | None = told("Its tokens, those that are not 0.", {"input_tokens": 412}, default=None)
    cost_nano_usd: int | None = told("Billionths of a US dollar; null: unknown.", 119_400, default=None)
    key: str | None = told("Which key of a pool was used, by its variable.", "OPENAI_API_KEYS[2]", default=None)
    uncounted: bool = told("It may have cost something that nobody counted.", False, default=False)

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """An attempt as JSON has it."""
        return cls.model_validate(attempt.to_json())


class Answered(Told):
    """Who answered, at what cost, and who failed before."""

    call_id: str = told("The id under which the ledger keeps the question.", "0199c7a0-…")
    session_id: str | None = told("The session in which the turn was kept.", None, default=None)
    model: str = told("The name of the model that answered.", "small")
    finish_reason: str = told("`stop`, `length`, `tool_calls` or `content_filter`.", "stop")
    usage: Tokens = told("The tokens of all attempts together.", {"input_tokens": 412, "output_tokens": 96})
    cost_usd: float | None = told("US dollars of all attempts; null: a price is unknown.", 0.000119)
    cached: bool = told("It came from the cache of answers.", False)
    milliseconds: float = told("From the question to the end of the answer.", 812.5)
    trimmed: int = told("Oldest messages of the session that the model was not told.", 0)
    attempts: list[AttemptTold] = told("Every model that was asked, in order.", [])

    @staticmethod
    def facts(reply: Reply) -> Mapping[str, Any]:
        """These fields of a reply."""
        return {
            "call_id": reply.call_id,
            "session_id": reply.session_id,
            "model": reply.model,
            "finish_reason": reply.finish_reason,
            "usage": Tokens.of(reply.usage),
            "cost_usd": reply.cost_usd,
            "cached": reply.cached,
            "milliseconds": reply.milliseconds,
            "trimmed": reply.trimmed,
            "attempts": [AttemptTold.of(attempt) for attempt in reply.attempts],
        }


class ToolCallTold(Told):
    """A model's wish that a tool be called."""

    id: str = told("Ties the result to it.", "call_1")
    name: str = told("The tool's name.", "semantic_search")
    arguments: Json = told("Its arguments.", {"query": "circuit breaker"})


class MessageTold(Told):
    """One thing that was said in a session."""

    position: int = told("Its place; 1 is the first.", 1)
    role: str = told("`system`, `user`, `assistant` or `tool`.", "user")
    content: Said = told("What was said.", "What is a circuit breaker?")
    images: list[str] = told("Addresses of pictures beside the text.", [])
    tool_calls: list[ToolCallTold] = told("What an assistant wants done before it goes on.", [])
    tool_call_id: str | None = told("The call that a `tool` message answers.", None)
    pinned: bool = told("It is kept before the model however long the conversation grows.", False)
    stopped: bool = told("The answer was stopped before its end.", False)

    @classmethod
    def of(cls, position: int, message: Message) -> Self:
        """A message at its place, without what only its vendor reads."""
        return cls(
            position=position,
            role=message.role,
            content=message.text,
            images=[image.url for image in message.images],
            tool_calls=[ToolCallTold(id=c.id, name=c.name, arguments=c.arguments) for c in message.tool_calls],
            tool_call_id=message.tool_call_id,
            pinned=message.pinned,
            stopped=message.stopped,
        )
