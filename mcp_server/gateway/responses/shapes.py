"""The body of `POST /v1/responses`: OpenAI's fields, and the toolkit's own."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field

from mcp_server.gateway.answering import Body
from mcp_server.gateway.shapes import Shape

Schema: TypeAlias = dict[str, Any]
Status: TypeAlias = Literal["in_progress", "completed", "incomplete"]

_TAKEN: Final = "only text, pictures and the client's own tools are taken"
_HINT: Final = "Told to models that are asked on this wire alone."


class InputText(Shape):
    """A text that somebody said to the model."""

    type: Literal["input_text"]
    text: str = Field(description="What is said.", examples=["What is in this picture?"])
    prompt_cache_breakpoint: Schema | None = Field(None, description="Passed over.")


class InputImage(Shape):
    """A picture."""

    type: Literal["input_image"]
    image_url: str = Field(min_length=1, description="An https address, or a data: URL with the bytes in base64.")
    detail: Literal["auto", "low", "high", "original"] | None = Field(None, description="How closely it is looked at.")
    prompt_cache_breakpoint: Schema | None = Field(None, description="Passed over.")


class OutputText(Shape):
    """A text that the model said before."""

    type: Literal["output_text"]
    text: str = Field(description="What it said.", examples=["Paris."])
    annotations: list[Any] | None = Field(None, description="Passed over.")
    logprobs: list[Any] | None = Field(None, description="Passed over.")
    parsed: Any = Field(None, description="What OpenAI's client adds; passed over.")


class OutputRefusal(Shape):
    """What the model said to refuse."""

    type: Literal["refusal"]
    refusal: str = Field(description="What it said.", examples=["I cannot help with that."])


Part: TypeAlias = Annotated[InputText | InputImage | OutputText | OutputRefusal, Field(discriminator="type")]
Seen: TypeAlias = Annotated[InputText | InputImage, Field(discriminator="type")]


class Item(Shape):
    """One thing that was said or done."""

    id: str | None = Field(None, description="As it came; not needed.")
    status: Status | None = Field(None, description="As it came; not needed.")


class MessageItem(Item):
    """Something said."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"] = Field(description="Who says it.", examples=["user"])
    content: str | list[Part] = Field(description="What is said.", examples=["What is the capital of France?"])
    phase: str | None = Field(None, description="Passed over: the server keeps it for models that want it.")


class CallItem(Item):
    """A tool's call that the model asked for."""

    type: Literal["function_call"]
    call_id: str = Field(min_length=1, description="Ties the result to it.", examples=["call_1"])
    name: str = Field(min_length=1, description="The tool's.", examples=["get_weather"])
    arguments: str = Field(description="A JSON object, as text.", examples=['{"city": "Paris"}'])
    namespace: str | None = Field(None, description="Of the tool, if it has one.")
    caller: Schema | None = Field(None, description="Passed over.")
    parsed_arguments: Any = Field(None, description="What OpenAI's client adds; passed over.")


class CustomCallItem(Item):
    """The call of a tool that takes a text."""

    type: Literal["custom_tool_call"]
    call_id: str = Field(min_length=1, description="Ties the result to it.", examples=["call_1"])
    name: str = Field(min_length=1, description="The tool's.", examples=["apply_patch"])
    input: str = Field(description="The text.", examples=["*** Begin Patch"])
    namespace: str | None = Field(None, description="Of the tool, if it has one.")
    caller: Schema | None = Field(None, description="Passed over.")


class ResultItem(Item):
    """What came of a call."""

    type: Literal["function_call_output", "custom_tool_call_output"] = Field(description="Of which kind of tool.")
    call_id: str = Field(min_length=1, description="The call's.", examples=["call_1"])
    output: str | list[Seen] = Field(description="What the tool gave.", examples=["21 °C"])
    name: str | None = Field(None, description="The tool's; the id tells it already.")
    namespace: str | None = Field(None, description="The tool's; the id tells it already.")
    caller: Schema | None = Field(None, description="Passed over.")


class ThoughtItem(Item):
    """What a model thought, as only this server can read it; another's is passed over."""

    type: Literal["reasoning"]
    encrypted_content: str | None = Field(None, description="As it came.", examples=["toolkit.v1.…"])
    summary: list[Any] | None = Field(None, description="Passed over.")
    content: list[Any] | None = Field(None, description="Passed over.")


def _typed(item: Any) -> Any:
    """A message may come without its type."""
    return {"type": "message", **item} if isinstance(item, dict) and "role" in item else item


Given: TypeAlias = Annotated[
    Annotated[MessageItem | CallItem | CustomCallItem | ResultItem | ThoughtItem, Field(discriminator="type")],
    BeforeValidator(_typed),
]


class ClientTool(Shape):
    """A tool that the client runs itself: the answer says with what it is to be called."""

    description: str | None = Field(None, description="What it does, and when to use it.")
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$", description="What it is called.", examples=["get_weather"])
    defer_loading: Literal[False] | None = Field(None, description="All tools are told to the model.")
    allowed_callers: list[Literal["direct"]] | None = Field(None, description="The model alone.")


class FunctionTool(ClientTool):
    """A tool that takes arguments."""

    type: Literal["function"]
    parameters: Schema | None = Field(
        None, description="The JSON Schema of its arguments.", examples=[{"type": "object"}]
    )
    strict: bool | None = Field(None, description="That the arguments must fit; vendors are asked without it.")
    output_schema: Schema | None = Field(None, description="Passed over.")


class CustomTool(ClientTool):
    """A tool that takes a text, which the model is told as a function with one argument."""

    type: Literal["custom"]
    format: Schema | None = Field(None, description="A grammar is told to the model in words; nobody holds it to that.")


class Namespace(Shape):
    """Tools with a common name before theirs."""

    description: str | None = Field(None, description="What they are for.")
    type: Literal["namespace"]
    name: str = Field(min_length=1, description="What they have in common.", examples=["mcp__weather"])
    tools: list[Annotated[FunctionTool | CustomTool, Field(discriminator="type")]] = Field(description="The tools.")


Offered: TypeAlias = Annotated[FunctionTool | CustomTool | Namespace, Field(discriminator="type")]


class ChosenTool(Shape):
    """Which tool."""

    type: Literal["function", "custom"] = Field(description="Of which kind.")
    name: str = Field(description="What it is called.", examples=["get_weather"])


class AllowedChoice(Shape):
    """Which of the tools may be asked for now."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"] = Field(description="Whether one must be asked for.", examples=["auto"])
    tools: list[ChosenTool] = Field(description="Those.")


Choice: TypeAlias = Literal["auto", "none", "required"] | ChosenTool | AllowedChoice


class PlainText(Shape):
    """Free text."""

    type: Literal["text"]


class AnyJson(Shape):
    """Any JSON object."""

    type: Literal["json_object"]


class SchemaForm(Shape):
    """JSON that fits a schema."""

    type: Literal["json_schema"]
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$", description="What it is called.", examples=["city"])
    schema_: Schema = Field(alias="schema", description="A JSON Schema of an object.", examples=[{"type": "object"}])
    description: str | None = Field(None, description="What it is for.")
    strict: bool | None = Field(None, description="Taken as true: an answer that does not fit is no answer.")


class TextConfig(Shape):
    """In which form the answer must be."""

    format: Annotated[PlainText | AnyJson | SchemaForm, Field(discriminator="type")] | None = Field(
        None, description="It is checked, and asked for again where it does not fit."
    )
    verbosity: str | None = Field(None, description="Told to OpenAI's models that think.", examples=["low"])


class Reasoning(Shape):
    """How much is thought."""

    effort: str | None = Field(None, description="Told to OpenAI's models that think.", examples=["low"])
    summary: str | None = Field(None, description=_HINT)
    generate_summary: str | None = Field(None, description=_HINT)
    context: str | None = Field(None, description=_HINT)
    mode: str | None = Field(None, description=_HINT)


class StreamWish(Shape):
    """What a stream has besides."""

    include_obfuscation: Literal[False] | None = Field(None, description="Nothing is obfuscated here.")


class ResponsesBody(Body):
    """A question to a model."""

    model_config = ConfigDict(
        title="ResponsesRequest",
        json_schema_extra={"example": {"model": "default", "input": "What is the capital of France?"}},
    )
    hints: ClassVar[Mapping[str, str]] = {
        "conversation": "write the id of a session as `session_id`",
        "item_reference": "send the item itself, or `previous_response_id`",
        "input_file": _TAKEN + "; a document can be added to a collection and searched",
        "input_audio": _TAKEN,
        "prompt": "prompts of a vendor are not known here; send what it says as `instructions`",
        "background": "keep the connection, or use `POST /api/v1/generate`",
        "top_logprobs": "use `POST /v1/chat/completions`",
        "moderation": "ask the vendor for it",
        "web_search": 'no vendor\'s tools are run here; leave it out (Codex: `web_search = "disabled"`)',
        "web_search_preview": "no vendor's tools are run here",
        "file_search": "no vendor's tools are run here; `POST /v1/answer` searches documents",
        "code_interpreter": "no vendor's tools are run here",
        "computer_use_preview": "no vendor's tools are run here",
        "image_generation": "no vendor's tools are run here",
        "mcp": "connect to the server yourself, and offer its tools",
        "tool_search": "all tools are told to the model",
        "local_shell": "offer it as a function",
        "shell": "offer it as a function",
        "apply_patch": "offer it as a function",
        "messages": "write them as `input`",
        "max_tokens": "write it as `max_output_tokens`",
        "response_format": "write it as `text.format`",
        "stop": "it is not known on this wire; use `POST /v1/chat/completions`",
        "seed": "it is not known on this wire; use `POST /v1/chat/completions`",
    }

    input: str | list[Given] = Field(
        description="What is said; with a `session_id` or `previous_response_id` only what is new.",
        min_length=1,
        examples=["What is the capital of France?"],
    )
    instructions: str | None = Field(None, description="For this turn alone.", examples=["Be brief."])
    tools: list[Offered] | None = Field(None, description="Tools that the client runs.")
    tool_choice: Choice | None = Field(None, description="Whether, or which, tool must be asked for.")
    parallel_tool_calls: bool | None = Field(None, description="False: one tool at a time.", examples=[True])
    text: TextConfig | None = Field(None, description="In which form the answer must be.")
    max_output_tokens: int | None = Field(None, ge=1, le=10_000_000, description="An upper bound on its length.")
    temperature: float | None = Field(None, ge=0, le=2, description="0 to 2.", examples=[0.2])
    top_p: float | None = Field(None, ge=0, le=1, description="Passed on.", examples=[0.9])
    reasoning: Reasoning | None = Field(None, description="How much is thought.")
    metadata: dict[str, str] | None = Field(None, description="Comes back with the answer.", examples=[{"job": "7"}])
    store: bool | None = Field(
        None, description="Keep the turn, so that `previous_response_id` goes on from it; without it nothing is kept."
    )
    previous_response_id: str | None = Field(None, description="The kept answer that the turn goes on from.")
    include: list[Literal["reasoning.encrypted_content"]] | None = Field(
        None, description="What is hidden is always there, where a model wants it back."
    )
    stream_options: StreamWish | None = Field(None, description="Only with `stream`.")
    user: str | None = Field(None, description="Passed over; see `X-User-Id`.")
    safety_identifier: str | None = Field(None, description=_HINT)
    prompt_cache_key: str | None = Field(None, description=_HINT)
    prompt_cache_options: Schema | None = Field(None, description=_HINT)
    prompt_cache_retention: str | None = Field(None, description=_HINT)
    service_tier: str | None = Field(None, description=_HINT, examples=["auto"])
    truncation: Literal["auto", "disabled"] | None = Field(None, description="What is too long is trimmed here.")
    background: Literal[False] | None = Field(None, description="The answer comes while the client waits.")
    max_tool_calls: int | None = Field(None, description="Of the vendor's own tools, which are not there.")
    context_management: list[Any] | None = Field(None, description="Passed over: what is too long is trimmed here.")
    client_metadata: Schema | None = Field(None, description="Passed over.")
