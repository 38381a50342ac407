"""The body of `POST /v1/messages`: Anthropic's fields, and the toolkit's own."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field

from mcp_server.gateway.answering import Body
from mcp_server.gateway.shapes import Shape

Schema: TypeAlias = dict[str, Any]

_TAKEN: Final = "only text, pictures and the client's own tools are taken"
_CLIENTS: Final = "offer a tool of your own, without a `type`"
_ROW: Final = "set it in the `config.extra` of the model's row"
_CACHE: Final = "Accepted, and left to the vendor's own caching."


class Block(Shape):
    """Something said."""

    cache_control: Schema | None = Field(None, description=_CACHE, examples=[{"type": "ephemeral"}])


class TextBlock(Block):
    """A text."""

    type: Literal["text"]
    text: str = Field(description="What is said.", examples=["What is in this picture?"])
    citations: list[Any] | None = Field(None, description="Passed over.")
    parsed_output: Any = Field(None, description="What Anthropic's client adds; passed over.")


class Base64Source(Shape):
    """A picture itself."""

    type: Literal["base64"]
    media_type: str = Field(pattern=r"^image/[\w.+-]+$", description="What kind it is.", examples=["image/png"])
    data: str = Field(min_length=1, description="Its bytes in base64.", examples=["iVBORw0KGgo="])


class UrlSource(Shape):
    """Where a picture is."""

    type: Literal["url"]
    url: str = Field(min_length=1, description="An https address.", examples=["https://example.com/cat.png"])


class ImageBlock(Block):
    """A picture."""

    type: Literal["image"]
    source: Annotated[Base64Source | UrlSource, Field(discriminator="type", description="Where it comes from.")]


Seen: TypeAlias = Annotated[TextBlock | ImageBlock, Field(discriminator="type")]


class ResultBlock(Block):
    """What came of a tool's call."""

    type: Literal["tool_result"]
    tool_use_id: str = Field(description="The `id` of the call.", examples=["toolu_1"])
    content: str | list[Seen] | None = Field(None, description="What the tool gave.", examples=["21 °C"])
    is_error: bool | None = Field(None, description="It failed, and the content says why.", examples=[False])


class CallBlock(Block):
    """A tool's call that the model asked for."""

    type: Literal["tool_use"]
    id: str = Field(min_length=1, description="Ties the result to it.", examples=["toolu_1"])
    name: str = Field(min_length=1, description="The tool's.", examples=["get_weather"])
    input: Schema = Field(description="The arguments.", examples=[{"city": "Paris"}])
    caller: Schema | None = Field(None, description="Who asked for it; passed over.")
    toolset_name: str | None = Field(None, description="Passed over.")


class ThinkingBlock(Block):
    """What a model thought, signed by its vendor."""

    type: Literal["thinking"]
    thinking: str = Field(description="What it thought.", examples=[""])
    signature: str = Field(description="The vendor's.", examples=["EqQB…"])


class HiddenBlock(Block):
    """What a model thought, as only its vendor or this server can read it."""

    type: Literal["redacted_thinking"]
    data: str = Field(description="As it came.", examples=["toolkit.v1.…"])


Asked: TypeAlias = Annotated[TextBlock | ImageBlock | ResultBlock, Field(discriminator="type")]
Answered: TypeAlias = Annotated[TextBlock | CallBlock | ThinkingBlock | HiddenBlock, Field(discriminator="type")]


class UserTurn(Shape):
    """What the user says, and what came of tools."""

    role: Literal["user"]
    content: str | list[Asked] = Field(description="What is said.", examples=["What is the capital of France?"])


class AssistantTurn(Shape):
    """What the model said before."""

    role: Literal["assistant"]
    content: str | list[Answered] = Field(description="What it said.", examples=["Paris."])


class SystemTurn(Shape):
    """Instructions in the middle of a conversation."""

    role: Literal["system"]
    content: str | list[TextBlock] = Field(description="What they are.", examples=["Be brief."])


Turn: TypeAlias = Annotated[UserTurn | AssistantTurn | SystemTurn, Field(discriminator="role")]


class ClaudeTool(Block):
    """A tool that the client runs itself: the answer says with what it is to be called."""

    type: str | None = Field(
        None, description="`custom` or none; a vendor's own tools are refused.", examples=["custom"]
    )
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$", description="What it is called.", examples=["get_weather"])
    description: str | None = Field(None, description="What it does, and when to use it.")
    input_schema: Schema | None = Field(
        None, description="The JSON Schema of its arguments.", examples=[{"type": "object"}]
    )
    strict: bool | None = Field(None, description="That the arguments must fit; vendors are asked without it.")
    input_examples: list[Schema] | None = Field(None, description="Passed over.")
    eager_input_streaming: bool | None = Field(None, description="Arguments are always streamed as they come.")
    defer_loading: Literal[False] | None = Field(None, description="All tools are told to the model.")
    allowed_callers: list[Literal["direct"]] | None = Field(None, description="The model alone.")


class ToolUse(Shape):
    """Whether, or which, tool must be asked for."""

    type: Literal["auto", "any", "tool", "none"] = Field(description="What must be.", examples=["auto"])
    name: str | None = Field(None, description="Of the tool, where the type is `tool`.", examples=["get_weather"])
    disable_parallel_tool_use: bool | None = Field(None, description="One tool at a time.", examples=[True])


class Form(Shape):
    """The form of the answer."""

    type: Literal["json_schema"]
    schema_: Schema = Field(alias="schema", description="A JSON Schema of an object.", examples=[{"type": "object"}])


class OutputConfig(Shape):
    """How much is thought, and in which form the answer must be."""

    effort: str | None = Field(None, description="For models that think.", examples=["low"])
    format: Form | None = Field(None, description="It is checked, and asked for again where it does not fit.")


class Metadata(Shape):
    """Of the request."""

    user_id: str | None = Field(None, description="Told to Anthropic alone; see `X-User-Id`.", examples=["7f3a"])


class Conversation(Body):
    """What is said, and with which tools."""

    hints: ClassVar[Mapping[str, str]] = {
        "document": _TAKEN + "; a document can be added to a collection and searched",
        "search_result": _TAKEN,
        "file": "send the picture itself, or its address",
        "server_tool_use": _TAKEN,
        "web_search_tool_result": _TAKEN,
        "container_upload": _TAKEN,
        "container": "no code runs here in containers; " + _CLIENTS,
        "mcp_servers": "connect to them yourself, and offer their tools",
        "inference_geo": _ROW,
        "speed": _ROW,
        "user_profile_id": "send `X-User-Id`, or a token with a subject",
        "workspace_id": "the key in the model's row decides it",
        "betas": "send the header `anthropic-beta`, or name them as `betas` in the config of the model's row",
    }

    messages: list[Turn] = Field(
        description="The conversation, oldest first; with a `session_id` only what is new in it.", min_length=1
    )
    system: str | list[TextBlock] | None = Field(None, description="Instructions.", examples=["Be brief."])
    tools: list[ClaudeTool] | None = Field(None, description="Tools that the client runs.")
    tool_choice: ToolUse | None = Field(None, description="Whether, or which, tool must be asked for.")
    thinking: Schema | None = Field(
        None, description="Told to Anthropic's models alone.", examples=[{"type": "adaptive"}]
    )
    output_config: OutputConfig | None = Field(None, description="How much is thought, and the form of the answer.")
    output_format: Form | None = Field(None, description="The same as `output_config.format`, by its older name.")
    cache_control: Schema | None = Field(None, description=_CACHE)
    context_management: Schema | None = Field(None, description="Passed over: what is too long is trimmed here.")

    @property
    def form(self) -> Form | None:
        """That of the answer, by either name."""
        return (self.output_config.format if self.output_config else None) or self.output_format


class CountBody(Conversation):
    """What is to be counted."""

    model_config = ConfigDict(
        title="CountTokensRequest",
        json_schema_extra={
            "example": {"model": "default", "messages": [{"role": "user", "content": "How long is it?"}]}
        },
    )


class MessagesBody(Conversation):
    """A question to a model."""

    model_config = ConfigDict(
        title="MessagesRequest",
        json_schema_extra={
            "example": {
                "model": "default",
                "max_tokens": 1024,
                "messages": [{"role": "user", "content": "What is the capital of France?"}],
            }
        },
    )

    max_tokens: int = Field(ge=1, le=10_000_000, description="An upper bound on the answer's length.", examples=[1024])
    stop_sequences: list[str] | None = Field(None, description="Texts at which the answer ends.", examples=[["END"]])
    temperature: float | None = Field(None, ge=0, le=1, description="0 to 1.", examples=[0.2])
    top_p: float | None = Field(None, ge=0, le=1, description="Passed on.", examples=[0.9])
    top_k: int | None = Field(None, ge=0, description="Told to Anthropic's models alone.", examples=[40])
    metadata: Metadata | None = Field(None, description="Of the request.")
    service_tier: str | None = Field(None, description="Told to Anthropic alone.", examples=["auto"])
    diagnostics: Schema | None = Field(None, description="Passed over.")
