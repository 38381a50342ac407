"""The body of `POST /v1/chat/completions`: OpenAI's fields, the toolkit's own, and some of other vendors'."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field

from mcp_server.gateway.shapes import Shape

MOST_CHOICES: Final = 8
LEAST_TIMEOUT: Final = 0.1
LONGEST_TIMEOUT: Final = 3600.0
_NAME: Final = r"^[^\x00]*$"

Schema: TypeAlias = dict[str, Any]
Name: TypeAlias = Annotated[str, Field(max_length=256, pattern=_NAME)]


class TextPart(Shape):
    """A piece of text."""

    type: Literal["text"] = Field(description="What it is.")
    text: str = Field(description="What is said.", examples=["What is in this picture?"])


class RefusalPart(Shape):
    """What an assistant said to refuse."""

    type: Literal["refusal"] = Field(description="What it is.")
    refusal: str = Field(description="What was said.", examples=["I cannot help with that."])


class ImageUrl(Shape):
    """Where a picture is."""

    url: str = Field(description="An https address, or a data: URL with the bytes in base64.", min_length=1)
    detail: Literal["auto", "low", "high", "original"] = Field(
        "auto", description="How closely it is looked at; the same for all pictures of a request."
    )


class ImagePart(Shape):
    """A picture."""

    type: Literal["image_url"] = Field(description="What it is.")
    image_url: ImageUrl = Field(description="Where it is.")


Text: TypeAlias = str | list[TextPart]
Part: TypeAlias = Annotated[TextPart | ImagePart, Field(discriminator="type")]
Said: TypeAlias = Annotated[TextPart | RefusalPart, Field(discriminator="type")]


class Called(Shape):
    """The function that a model wants called."""

    name: str = Field(description="The name of the tool.", examples=["get_weather"])
    arguments: str = Field(description="The arguments: a JSON object, as text.", examples=['{"city": "Paris"}'])
    parsed_arguments: Any = Field(None, description="What OpenAI's client adds; passed over.")


class Call(Shape):
    """A call of a tool that a model asked for."""

    id: str = Field(description="Ties the result to it.", examples=["call_1"])
    type: Literal["function"] = Field("function", description="What it is.")
    function: Called = Field(description="What is to be called.")
    index: int | None = Field(None, description="Its place in a stream; some clients send it back.")


class Instructions(Shape):
    """What the model is told by the program."""

    role: Literal["system", "developer"] = Field(description="Both mean the same here.")
    content: Text = Field(description="What is said.", examples=["Be brief."])
    name: Name | None = Field(None, description="Who says it; said before the text.")


class UserMessage(Shape):
    """What the user says."""

    role: Literal["user"] = Field(description="Who says it.")
    content: str | list[Part] = Field(description="What is said; pictures stand behind the text.", examples=["Hello."])
    name: Name | None = Field(None, description="Who says it; said before the text.")


class Answer(Shape):
    """What the model said before; a `chat.completion`'s message can be sent as it came."""

    role: Literal["assistant"] = Field(description="Who says it.")
    content: str | list[Said] | None = Field(None, description="What was said.", examples=["Bonjour."])
    refusal: str | None = Field(None, description="What was said to refuse; told as text.")
    tool_calls: list[Call] | None = Field(None, description="The calls that it asked for.")
    name: Name | None = Field(None, description="Who says it; said before the text.")
    annotations: list[Any] | None = Field(None, max_length=0, description="None, as they come from here.")
    audio: None = Field(None, description="Always null.")
    function_call: None = Field(None, description="Always null; see `tool_calls`.")
    parsed: Any = Field(None, description="What OpenAI's client adds; passed over.")
    provider_specific_fields: Schema | None = Field(None, description="What LiteLLM's client adds; passed over.")


class Result(Shape):
    """What came of a call."""

    role: Literal["tool"] = Field(description="Who says it.")
    content: Text = Field(description="The result.", examples=["sunny, 24 °C"])
    tool_call_id: str = Field(description="The `id` of the call.", examples=["call_1"])
    name: Name | None = Field(None, description="The tool's; the id tells it already.")


Message: TypeAlias = Annotated[Instructions | UserMessage | Answer | Result, Field(discriminator="role")]


class Function(Shape):
    """What a tool is."""

    name: str = Field(description="What it is called.", examples=["get_weather"], pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = Field(None, description="What it does, and when to use it.")
    parameters: Schema | None = Field(None, description="The JSON Schema of its arguments.")
    strict: bool | None = Field(None, description="That the arguments must fit; vendors are asked without it.")


class Tool(Shape):
    """A tool that the program runs itself: the answer says with what it is to be called."""

    type: Literal["function"] = Field(description="What it is.")
    function: Function = Field(description="The function.")


class NamedFunction(Shape):
    """Which function."""

    name: str = Field(description="Its name.", examples=["get_weather"])


class NamedTool(Shape):
    """Which tool."""

    type: Literal["function"] = Field(description="What it is.")
    function: NamedFunction = Field(description="The function.")


class Allowed(Shape):
    """Which of the tools may be asked for now."""

    mode: Literal["auto", "required"] = Field(description="Whether one must be asked for.")
    tools: list[NamedTool] = Field(description="Those that may be.")


class AllowedTools(Shape):
    """Which of the tools may be asked for now."""

    type: Literal["allowed_tools"] = Field(description="What it is.")
    allowed_tools: Allowed = Field(description="Which, and whether one must be.")


Choice: TypeAlias = (
    Literal["auto", "none", "required"] | Annotated[NamedTool | AllowedTools, Field(discriminator="type")]
)


class JsonSchema(Shape):
    """The form of the answer."""

    name: str = Field(description="What it is called.", examples=["city"], pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = Field(None, description="What it is for.")
    schema_: Schema = Field({"type": "object"}, alias="schema", description="A JSON Schema of an object.")
    strict: bool | None = Field(None, description="Taken as true: an answer that does not fit is no answer.")


class AsText(Shape):
    """Free text."""

    type: Literal["text"] = Field(description="What it is.")


class AsObject(Shape):
    """Any JSON object."""

    type: Literal["json_object"] = Field(description="What it is.")


class AsSchema(Shape):
    """JSON that fits a schema."""

    type: Literal["json_schema"] = Field(description="What it is.")
    json_schema: JsonSchema = Field(description="The form.")


class StreamOptions(Shape):
    """What a stream has besides."""

    include_usage: bool | None = Field(None, description="Ends with a chunk that has the `usage` of all of it.")
    include_obfuscation: bool | None = Field(None, description="Nothing is obfuscated here, so only false fits.")


class ChatBody(Shape):
    """A question to a model."""

    model_config = ConfigDict(
        title="ChatCompletionRequest",
        json_schema_extra={
            "example": {"model": "default", "messages": [{"role": "user", "content": "What is the capital of France?"}]}
        },
    )
    hints: ClassVar[Mapping[str, str]] = {
        "functions": "write them as `tools`",
        "function_call": "write it as `tool_choice`, and in messages as `tool_calls`",
        "function": "write the message with the role 'tool' and a `tool_call_id`",
        "audio": "models answer in text here",
        "modalities": "models answer in text here",
        "input_audio": "only text and pictures are taken",
        "file": "only text and pictures are taken; a document can be added to a collection and searched",
        "custom": "write it as a function with one text as its parameter",
        "reasoning_content": "leave it out; with a `session_id` the server keeps what a vendor wants back",
        "grammar": "use `response_format`",
        "provider": "the `model` names it: `provider/model`",
        "models": "write the others as `fallbacks`",
    }

    messages: list[Message] = Field(
        description="The conversation, oldest first; with a `session_id` only what is new in it.", min_length=1
    )
    model: Name | None = Field(
        None,
        description="A name of `GET /v1/models`, a vendor's own name, `provider/model`; `default` or none: the chain.",
        examples=["default"],
    )
    stream: bool | None = Field(None, description="The answer piece by piece, as server-sent events.")
    stream_options: StreamOptions | None = Field(None, description="Only with `stream`.")
    n: int | None = Field(None, ge=1, le=MOST_CHOICES, description="Answers; each is a question of its own.")
    tools: list[Tool] | None = Field(None, description="Tools that the program runs.")
    tool_choice: Choice | None = Field(None, description="Whether, or which, tool must be asked for.")
    response_format: Annotated[AsText | AsObject | AsSchema, Field(discriminator="type")] | None = Field(
        None, description="The form of the answer; it is checked, and asked for again where it does not fit."
    )
    temperature: float | None = Field(None, ge=0, le=2, description="0 to 2.", examples=[0.2])
    max_tokens: int | None = Field(None, ge=1, le=10_000_000, description="An upper bound on the answer's length.")
    max_completion_tokens: int | None = Field(None, ge=1, le=10_000_000, description="The same by its new name.")
    stop: str | list[str] | None = Field(None, description="Texts at which the answer ends.")
    seed: int | None = Field(None, ge=-(2**63), lt=2**63, description="For vendors that can repeat an answer.")
    user: Name | None = Field(
        None, description="On whose behalf, where neither a token nor `X-User-Id` says it; vendors are not told."
    )

    top_p: float | None = Field(None, ge=0, le=1, description="Passed on.")
    presence_penalty: float | None = Field(None, ge=-2, le=2, description="Passed on.")
    frequency_penalty: float | None = Field(None, ge=-2, le=2, description="Passed on.")
    logit_bias: dict[str, float] | None = Field(None, description="Passed on.")
    logprobs: bool | None = Field(None, description="Passed on; the answer has them where the vendor does.")
    top_logprobs: int | None = Field(None, ge=0, le=20, description="Passed on.")
    reasoning_effort: str | None = Field(None, description="Passed on.", examples=["low"])
    verbosity: str | None = Field(None, description="Passed on.", examples=["low"])
    parallel_tool_calls: bool | None = Field(None, description="Passed on.")
    service_tier: str | None = Field(None, description="Passed on.", examples=["auto"])
    metadata: dict[str, str] | None = Field(None, description="Passed on.")
    store: bool | None = Field(None, description="Whether the vendor keeps it; passed on.")
    prediction: Schema | None = Field(None, description="Passed on.")
    moderation: Schema | None = Field(None, description="Passed on.")
    web_search_options: Schema | None = Field(None, description="Passed on.")
    safety_identifier: str | None = Field(None, description="Passed on.")
    prompt_cache_key: str | None = Field(None, description="Passed on.")
    prompt_cache_options: Schema | None = Field(None, description="Passed on.")
    prompt_cache_retention: str | None = Field(None, description="Passed on.")
    top_k: int | None = Field(None, description="Other vendors' on this wire; passed on.")
    min_p: float | None = Field(None, description="Other vendors' on this wire; passed on.")
    repetition_penalty: float | None = Field(None, description="Other vendors' on this wire; passed on.")
    thinking: Schema | None = Field(None, description="Anthropic's; passed on to its models alone.")

    session_id: Name | None = Field(
        None, description="The toolkit's: the conversation on the server that the turn continues and is kept in."
    )
    fallbacks: list[Name] | Literal["chain"] | None = Field(
        None, description="The toolkit's: models to try after `model`; `chain`: the rest of the chain."
    )
    cache: bool | Literal["refresh"] | None = Field(
        None, description="The toolkit's: whether an answer that was given before may be given again."
    )
    toolkit_tools: list[str] | None = Field(
        None, description="The toolkit's: names of tools that the server runs for the model; not with `tools`."
    )
    timeout: float | None = Field(
        None, ge=LEAST_TIMEOUT, le=LONGEST_TIMEOUT, description="The toolkit's: seconds for everything together."
    )
    extra: dict[str, Any] | None = Field(
        None, description="The toolkit's: fields that only the vendor knows, put into its request as they are."
    )


PASSED_ON: Final[Mapping[str, Any]] = {
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "top_logprobs": 0,
    "reasoning_effort": None,
    "verbosity": None,
    "parallel_tool_calls": True,
    "service_tier": "auto",
    "metadata": {},
    "store": False,
    "prediction": None,
    "moderation": None,
    "web_search_options": None,
    "safety_identifier": None,
    "prompt_cache_key": None,
    "prompt_cache_options": None,
    "prompt_cache_retention": None,
    "top_k": None,
    "min_p": None,
    "repetition_penalty": None,
    "thinking": None,
}
"""What vendors are told, each with the value that says nothing: some clients send these always, and a vendor refuses a
field that it does not know."""
