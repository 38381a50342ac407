"""What the gateway answers on OpenAI's wire, for the documentation: answers are written by `writing`, not checked."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field


class Told(BaseModel):
    """A JSON object of an answer."""

    model_config = ConfigDict(defer_build=True)


class AskedModel(Told):
    """A model that was asked."""

    name: str = Field(description="Its name in the table, or `provider/model`.", examples=["large"])
    provider: str = Field(description="The vendor.", examples=["openai"])
    model: str = Field(description="The vendor's name of it.", examples=["gpt-4o"])
    error: str | None = Field(description="Why it did not answer; null if it did.", examples=["RateLimited"])
    message: str | None = Field(description="The same in a sentence.")
    milliseconds: float = Field(description="From the question to the answer or the error.", examples=[412.5])
    cost_usd: float | None = Field(description="What it cost; null where the price is unknown.", examples=[0.00012])


class ToolkitUsage(Told):
    """What no vendor tells."""

    model: str = Field(description="Who answered.", examples=["small"])
    attempts: list[AskedModel] = Field(description="Who was asked, in order; nobody where it was cached.")
    cost_usd: float | None = Field(description="What all of them cost; null where a price is unknown.")
    cached: bool = Field(description="The answer was given before.")
    session_id: str | None = Field(description="The session that the turn is kept in.")
    call_id: str = Field(description="Under which the ledger has it.")


class PromptDetails(Told):
    """Of the tokens that went in."""

    cached_tokens: int = Field(description="Read from the vendor's cache.", examples=[0])
    cache_write_tokens: int = Field(description="Written to it.", examples=[0])
    audio_tokens: int = Field(description="Of sound.", examples=[0])
    image_tokens: int = Field(description="Of pictures.", examples=[0])


class CompletionDetails(Told):
    """Of the tokens that came out."""

    reasoning_tokens: int = Field(description="Thought and not said.", examples=[0])
    audio_tokens: int = Field(description="Of sound.", examples=[0])


class ChatUsage(Told):
    """Tokens, of all attempts together."""

    prompt_tokens: int = Field(description="What went in.", examples=[14])
    completion_tokens: int = Field(description="What came out.", examples=[3])
    total_tokens: int = Field(description="Both.", examples=[17])
    prompt_tokens_details: PromptDetails = Field(description="Parts of the first.")
    completion_tokens_details: CompletionDetails = Field(description="Parts of the second.")
    toolkit: ToolkitUsage = Field(description="Who answered, who failed before, what it cost.")


class FunctionTold(Told):
    """Which function, and with what."""

    name: str = Field(description="The tool.", examples=["get_weather"])
    arguments: str = Field(description="A JSON object, as text.", examples=['{"city": "Paris"}'])


class CallTold(Told):
    """A call that the model asks for."""

    id: str = Field(description="Ties the result to it.", examples=["call_1"])
    type: Literal["function"] = Field(description="What it is.")
    function: FunctionTold = Field(description="What is to be called.")


class SpokenMessage(Told):
    """What the model says."""

    role: Literal["assistant"] = Field(description="Who says it.")
    content: str | None = Field(description="The text; null where it only asks for tools.", examples=["Paris."])
    refusal: str | None = Field(description="Always null: what a vendor refuses is an error.")
    tool_calls: list[CallTold] | None = Field(None, description="The calls that it asks for, if any.")


class ChoiceTold(Told):
    """One of `n` answers."""

    index: int = Field(description="Which, from 0.", examples=[0])
    message: SpokenMessage = Field(description="The answer.")
    logprobs: dict[str, Any] | None = Field(description="How likely each token was, if that was asked for.")
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter"] = Field(description="Why it ended.")


class ChatCompletion(Told):
    """An answer."""

    id: str = Field(description="Of the answer.", examples=["chatcmpl-0199aa00-0000-7000-8000-000000000000"])
    object: Literal["chat.completion"] = Field(description="What it is.")
    created: int = Field(description="Seconds since 1970.", examples=[1_767_225_600])
    model: str = Field(description="Who answered.", examples=["small"])
    system_fingerprint: str | None = Field(description="Always null.")
    choices: list[ChoiceTold] = Field(description="The answers.")
    usage: ChatUsage = Field(description="What it took.")


class EmbeddingTold(Told):
    """The vector of one text."""

    object: Literal["embedding"] = Field(description="What it is.")
    index: int = Field(description="Which text, from 0.", examples=[0])
    embedding: list[float] | str = Field(description="The numbers; in base64 as little-endian 32-bit floats.")


class EmbeddingUsage(Told):
    """Tokens, as they are counted here: vendors do not all tell."""

    prompt_tokens: int = Field(description="What went in.", examples=[5])
    total_tokens: int = Field(description="The same.", examples=[5])


class Embeddings(Told):
    """Vectors."""

    object: Literal["list"] = Field(description="What it is.")
    data: list[EmbeddingTold] = Field(description="One for each text, in order.")
    model: str = Field(description="Who made them.", examples=["bundled/all-MiniLM-L6-v2"])
    usage: EmbeddingUsage = Field(description="What it took.")


class ModelFacts(Told):
    """What no vendor tells of a model."""

    model: str = Field(description="The vendor's name of it.", examples=["gpt-4o"])
    scope: str = Field(description="Whose chain it belongs to.", examples=["global"])
    priority: int = Field(description="Lower is asked first.", examples=[10])
    default: bool = Field(description="It is its scope's default.")


class ModelObject(Told):
    """A model that may be named."""

    id: str = Field(description="What to write as `model`.", examples=["small"])
    object: Literal["model"] = Field(description="What it is.")
    created: int = Field(description="When its row was made, in seconds since 1970.", examples=[1_767_225_600])
    owned_by: str = Field(description="The vendor.", examples=["openai"])
    toolkit: ModelFacts | None = Field(None, description="Of a row of the table.")


class ModelObjects(Told):
    """The models in the order in which they are tried."""

    object: Literal["list"] = Field(description="What it is.")
    data: list[ModelObject] = Field(description="First `default`, which is all of them.")


class WhatIsWrong(Told):
    """What is wrong."""

    type: str = Field(description="Of which kind it is.", examples=["invalid_request_error"])
    message: str = Field(description="A sentence or two for the person who must act on it.")
    code: str = Field(description="A word that programs compare.", examples=["unknown_field"])
    param: str | None = Field(description="The field that is wrong, if it is one.", examples=["temprature"])
    attempts: list[dict[str, Any]] | None = Field(None, description="The models that were asked.")


class Error(Told):
    """A request that is not fulfilled: OpenAI's error object and Anthropic's at once."""

    type: Literal["error"] = Field(description="What it is.")
    error: WhatIsWrong = Field(description="What is wrong, and what to do.")
    request_id: str | None = Field(None, description="Under which the log has it.")


CHUNKS: Final[dict[str, Any]] = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'data: {"object":"chat.completion.chunk","choices":[…]}\n\ndata: [DONE]\n\n',
    }
}
_SAID: Final = {
    400: "The request cannot be used as written; `param` names the field.",
    401: "No key, or one that is unknown.",
    403: "The token lacks a scope.",
    404: "No such model, session or tool.",
    409: "A tool of a turn asks for another turn in its session.",
    413: "The body is too large.",
    429: "A limit is used up; `Retry-After` says until when.",
    502: "The one model that was asked failed.",
    503: "Every model failed; `attempts` says why.",
    504: "Nobody answered in time.",
}
REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Error, "description": said} for status, said in _SAID.items()
}
