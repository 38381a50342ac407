"""What the suite wants of a server in the protocol's own words: content, requests to the host, resources, prompts."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp import MCPError
from mcp.server import Server
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    BlobResourceContents,
    CallToolRequestParams,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    EmptyResult,
    GetPromptRequestParams,
    GetPromptResult,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
)

from mcp_server.sampling import Context
from mcp_server.tasks import known as knows_tasks
from mcp_server.tasks import required as needs_tasks
from toolkit.messages import Json

__all__ = ["LONG", "NEEDS_TASKS", "NOTHING", "SCHEMAS", "TOOLS", "add_to", "knows_tasks", "needs_tasks"]

NOTHING: Json = {"type": "object", "properties": {}}
PNG = base64.b64encode(
    base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==")
).decode()
WAV = base64.b64encode(b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0\x80>\0\0\2\0\x10\0data\0\0\0\0").decode()
STATIC_TEXT = "This is the content of the static text resource."

Answer = CallToolResult | InputRequiredResult


def text(said: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=said)])


def form(message: str, properties: Mapping[str, Json], required: list[str] | None = None) -> ElicitRequest:
    schema = {"type": "object", "properties": dict(properties), "required": required or []}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def sampling(prompt: str) -> CreateMessageRequest:
    said = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[said], max_tokens=100))


NAME = form("What is your name?", {"name": {"type": "string"}}, ["name"])
CONFIRM = form("Please confirm", {"ok": {"type": "boolean"}}, ["ok"])


def told(params: CallToolRequestParams, key: str, field: str) -> Any:
    """What the host has brought for one field of a form; None where it has not."""
    brought = (params.input_responses or {}).get(key)
    return (brought.content or {}).get(field) if isinstance(brought, ElicitResult) else None


# Content


async def image(_ctx: Context, _params: CallToolRequestParams) -> Answer:
    return CallToolResult(content=[ImageContent(type="image", data=PNG, mime_type="image/png")])


async def audio(_ctx: Context, _params: CallToolRequestParams) -> Answer:
    return CallToolResult(content=[AudioContent(type="audio", data=WAV, mime_type="audio/wav")])


def embedded(uri: str, said: str, mime_type: str) -> EmbeddedResource:
    resource = TextResourceContents(uri=uri, mime_type=mime_type, text=said)
    return EmbeddedResource(type="resource", resource=resource)


async def embedded_resource(_ctx: Context, _params: CallToolRequestParams) -> Answer:
    said = "This is an embedded resource content."
    return CallToolResult(content=[embedded("test://embedded-resource", said, "text/plain")])


async def mixed(_ctx: Context, _params: CallToolRequestParams) -> Answer:
    return CallToolResult(
        content=[
            TextContent(type="text", text="Multiple content types test:"),
            ImageContent(type="image", data=PNG, mime_type="image/png"),
            embedded("test://mixed-content-resource", '{"test":"data","value":123}', "application/json"),
        ]
    )


# Messages to the client, and questions of the revisions with a handshake


async def logging(ctx: Context, _params: CallToolRequestParams) -> Answer:
    for said in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.session.send_log_message("info", said, related_request_id=ctx.request_id)
        await asyncio.sleep(0.02)
    return text("logged")


def asking(message: str, properties: Mapping[str, Json]) -> Callable[[Context, CallToolRequestParams], Any]:
    async def ask(ctx: Context, params: CallToolRequestParams) -> Answer:
        said = (params.arguments or {}).get("message", message)
        schema = form(said, properties).params.model_dump()["requested_schema"]
        result = await ctx.session.elicit_form(said, schema, related_request_id=ctx.request_id)
        return text(f"Elicitation completed: action={result.action}, content={json.dumps(result.content)}")

    return ask


# Questions of the revision without a handshake: the host calls again with the answer


def in_one_round(message: str, requests: Mapping[str, Any]) -> Callable[[Context, CallToolRequestParams], Any]:
    async def answer(_ctx: Context, params: CallToolRequestParams) -> Answer:
        brought = params.input_responses or {}
        if missing := {key: each for key, each in requests.items() if key not in brought}:
            return InputRequiredResult(input_requests=missing, request_state=f"{message}.{len(missing)}")
        return text(f"{message}: {', '.join(each.model_dump_json() for each in brought.values())}")

    return answer


async def multi_round(_ctx: Context, params: CallToolRequestParams) -> Answer:
    name, color = told(params, "step1", "name"), told(params, "step2", "color")
    if color is not None and params.request_state:
        return text(f"{params.request_state} likes {color}")
    if name is not None:
        wanted = form("Step 2: What is your favorite color?", {"color": {"type": "string"}}, ["color"])
        return InputRequiredResult(input_requests={"step2": wanted}, request_state=f"{name}, round 2")
    wanted = form("Step 1: What is your name?", {"name": {"type": "string"}}, ["name"])
    return InputRequiredResult(input_requests={"step1": wanted}, request_state="round 1")


async def with_state(_ctx: Context, params: CallToolRequestParams) -> Answer:
    if params.request_state is None:
        return InputRequiredResult(input_requests={"confirm": CONFIRM}, request_state="as it was")
    if params.request_state != "as it was":
        raise MCPError(INVALID_PARAMS, "The request state is not the server's.")
    return text("state-ok")


async def as_declared(ctx: Context, _params: CallToolRequestParams) -> Answer:
    capabilities = ctx.session.client_capabilities
    requests: dict[str, Any] = {}
    if capabilities and capabilities.elicitation:
        requests["user_name"] = NAME
    if capabilities and capabilities.sampling:
        requests["greeting"] = sampling("Generate a greeting")
    return InputRequiredResult(input_requests=requests, request_state="as declared")


async def missing_capability(ctx: Context, _params: CallToolRequestParams) -> Answer:
    capabilities = ctx.session.client_capabilities
    if capabilities and capabilities.sampling:
        return text("It can.")
    data: Json = {"requiredCapabilities": {"sampling": {}}}
    raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "It needs a client that offers sampling.", data)


# Tasks


async def protocol_error(_ctx: Context, _params: CallToolRequestParams) -> Answer:
    await asyncio.sleep(0.6)
    raise MCPError(INTERNAL_ERROR, "It broke.")


def later(answer: Callable[[Context, CallToolRequestParams], Any]) -> Callable[[Context, CallToolRequestParams], Any]:
    """The same, but the question comes when the call is a task already."""

    async def slowly(ctx: Context, params: CallToolRequestParams) -> Answer:
        if params.input_responses is None:
            await asyncio.sleep(0.6)
        result: Answer = await answer(ctx, params)
        return result

    return slowly


async def question_then_task(_ctx: Context, params: CallToolRequestParams) -> Answer:
    name = told(params, "user_name", "name")
    if name is None:
        return InputRequiredResult(input_requests={"user_name": NAME}, request_state="asked")
    await asyncio.sleep(0.6)
    return text(f"Hello, {name}!")


_SURE = form("Sure?", {"confirm": {"type": "boolean"}}, ["confirm"])
_ENUMS: dict[str, Json] = {
    "untitledSingle": {"type": "string", "enum": ["option1", "option2", "option3"]},
    "titledSingle": {
        "type": "string",
        "oneOf": [{"const": f"value{n}", "title": f"{word} Option"} for n, word in ((1, "First"), (2, "Second"))],
    },
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": ["option1", "option2", "option3"]}},
    "titledMulti": {
        "type": "array",
        "items": {"anyOf": [{"const": f"value{n}", "title": f"{w} Choice"} for n, w in ((1, "First"), (2, "Second"))]},
    },
}
_DEFAULTS: dict[str, Json] = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
_PERSON: dict[str, Json] = {
    "username": {"type": "string", "description": "User's response"},
    "email": {"type": "string", "description": "User's email address"},
}

TOOLS: dict[str, Callable[[Context, CallToolRequestParams], Awaitable[Answer]]] = {
    "test_image_content": image,
    "test_audio_content": audio,
    "test_embedded_resource": embedded_resource,
    "test_multiple_content_types": mixed,
    "test_tool_with_logging": logging,
    "test_logging_tool": logging,
    "test_elicitation": asking("Who are you?", _PERSON),
    "test_elicitation_sep1034_defaults": asking("Defaults", _DEFAULTS),
    "test_elicitation_sep1330_enums": asking("Enums", _ENUMS),
    "test_input_required_result_elicitation": in_one_round("Hello", {"user_name": NAME}),
    "test_input_required_result_list_roots": in_one_round("Roots", {"client_roots": ListRootsRequest()}),
    "test_input_required_result_multiple_inputs": in_one_round(
        "All", {"user_name": NAME, "greeting": sampling("Generate a greeting"), "client_roots": ListRootsRequest()}
    ),
    "test_input_required_result_multi_round": multi_round,
    "test_input_required_result_request_state": with_state,
    "test_input_required_result_tampered_state": with_state,
    "test_input_required_result_capabilities": as_declared,
    "test_missing_capability": missing_capability,
    "test_streaming_elicitation": in_one_round("Hello", {"user_name": NAME}),
    "protocol_error_job": protocol_error,
    "confirm_delete": later(in_one_round("Deleted", {"confirm": _SURE})),
    "multi_input": later(in_one_round("Both", {"first": NAME, "second": _SURE})),
    "test_tool_with_task": question_then_task,
}
SCHEMAS: dict[str, Json] = {
    "test_elicitation": {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
    "confirm_delete": {"type": "object", "properties": {"filename": {"type": "string"}}},
}
LONG = frozenset({"protocol_error_job", "confirm_delete", "multi_input", "test_tool_with_task"})
NEEDS_TASKS = frozenset({"failing_job"})


# Resources and prompts


def read(uri: str) -> ReadResourceResult | None:
    if uri == "test://static-text":
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type="text/plain", text=STATIC_TEXT)])
    if uri == "test://static-binary":
        return ReadResourceResult(contents=[BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)])
    if uri.startswith("test://template/"):
        number = uri.removeprefix("test://template/").removesuffix("/data")
        said = json.dumps({"id": number, "templateTest": True, "data": f"Data for ID: {number}"})
        return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type="application/json", text=said)])
    return None


def prompt(params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult | None:
    match params.name:
        case "test_prompt_with_embedded_resource":
            uri = (params.arguments or {}).get("resourceUri", "test://example-resource")
            said = PromptMessage(role="user", content=embedded(uri, "What is embedded.", "text/plain"))
            return GetPromptResult(messages=[said])
        case "test_prompt_with_image":
            shown = ImageContent(type="image", data=PNG, mime_type="image/png")
            return GetPromptResult(messages=[PromptMessage(role="user", content=shown)])
        case "test_input_required_result_prompt":
            if not params.input_responses:
                asked = form("What context should the prompt use?", {"context": {"type": "string"}}, ["context"])
                return InputRequiredResult(input_requests={"user_context": asked})
            said = PromptMessage(role="user", content=TextContent(type="text", text="In that context."))
            return GetPromptResult(messages=[said])
    return None


def add_to(server: Server[Any]) -> None:
    """Put these resources and prompts in front of the server's own, and take the log levels of older clients."""
    own_read, own_prompt = _own(server, "resources/read"), _own(server, "prompts/get")

    async def read_resource(ctx: Context, params: ReadResourceRequestParams) -> Any:
        return read(str(params.uri)) or await own_read(ctx, params)

    async def get_prompt(ctx: Context, params: GetPromptRequestParams) -> Any:
        return prompt(params) or await own_prompt(ctx, params)

    async def set_level(_ctx: Context, _params: SetLevelRequestParams) -> EmptyResult:
        return EmptyResult()

    for method in ("resources/subscribe", "resources/unsubscribe"):
        server.add_request_handler(method, SubscribeRequestParams, _following(_own(server, method)))
    server.add_request_handler("resources/read", ReadResourceRequestParams, read_resource)
    server.add_request_handler("prompts/get", GetPromptRequestParams, get_prompt)
    server.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)


def _own(server: Server[Any], method: str) -> Callable[[Context, Any], Awaitable[Any]]:
    entry = server.get_request_handler(method)
    assert entry, method
    return entry.handler


def _following(own: Callable[[Context, Any], Awaitable[Any]]) -> Callable[[Context, Any], Awaitable[Any]]:
    """The same for the suite's address, in whose place one of the server's own is followed."""

    async def follow(ctx: Context, params: SubscribeRequestParams) -> Any:
        known = {"uri": "toolkit://usage"} if params.uri == "test://watched-resource" else {}
        return await own(ctx, params.model_copy(update=known))

    return follow
