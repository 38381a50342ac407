"""What OpenAI's responses refuse to be asked."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from toolkit.messages import Json

_THINKERS: Final = re.compile(r"o\d|gpt-[5-9](?!.*-chat)|codex")
_OTHERS: Final = re.compile(r"gpt-[34]|.*-chat")  # of a name of the user's own, as on Azure, neither is known
_LEAST: Final = 16
_PARAMETERS: Final = frozenset(
    {"background", "conversation", "include", "input", "instructions", "max_output_tokens", "max_tool_calls"}
    | {"metadata", "model", "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "reasoning"}
    | {"prompt_cache_retention", "safety_identifier", "service_tier", "store", "stream", "stream_options"}
    | {"temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user"}
)
_PARTS: Final[Mapping[str, frozenset[str]]] = {
    "assistant": frozenset({"output_text", "refusal"}),
    "user": frozenset({"input_text", "input_image", "input_file"}),
}


def thinks(model: str) -> bool:
    """Whether a model of that name thinks before it speaks."""
    return _THINKERS.match(model) is not None


def seal(model: str, item_id: str) -> str:
    """The thoughts of a model as only it can read them."""
    return "gAAA" + base64.b64encode(f"{model}/{item_id}".encode()).decode()


def complaint(body: Json) -> str | None:
    """Why OpenAI would refuse the request `body`; None if it would not."""
    return next(_complaints(body), None)


def _complaints(body: Json) -> Iterator[str]:
    model = body.get("model")
    if not model:
        yield "Missing required parameter: 'model'."
        return
    yield from (f"Unknown parameter: '{name}'." for name in body if name not in _PARAMETERS)
    yield from _about_the_model(body)
    yield from _about_the_form(body)
    yield from _about_the_tools(body)
    if body.get("previous_response_id"):
        yield f"Previous response with id '{body['previous_response_id']}' not found."
    asked = body.get("input")
    if not asked:
        yield 'One of "input" or "previous_response_id" or "prompt" or "conversation_id" must be provided.'
    elif not isinstance(asked, str):
        yield from _about_the_calls(asked)
        for item, following in zip(asked, [*asked[1:], {}], strict=True):
            yield from _about_an_item(item, following, model)


def _about_the_model(body: Json) -> Iterator[str]:
    simple = _OTHERS.match(body["model"])
    if thinks(body["model"]) and (refused := {"temperature", "top_p"} & body.keys()):
        yield f"Unsupported parameter: '{min(refused)}' is not supported with this model."
    if simple and "reasoning.encrypted_content" in (body.get("include") or ()):
        yield "Encrypted content is not supported with this model."
    if simple and body.get("reasoning"):
        yield "Unsupported parameter: 'reasoning.effort' is not supported with this model."
    limit = body.get("max_output_tokens")
    if limit is not None and limit < _LEAST:
        yield (
            "Invalid 'max_output_tokens': integer below minimum value. "
            f"Expected a value >= {_LEAST}, but got {limit} instead."
        )


def _about_the_form(body: Json) -> Iterator[str]:
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") != "json_schema":
        return
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", form.get("name") or ""):
        yield "Missing required parameter: 'text.format.name'."
    if form.get("strict"):
        yield from (f"Invalid schema for response_format '{form['name']}': {why}" for why in _loose(form["schema"]))


def _loose(schema: Any) -> Iterator[str]:
    """Where a schema is looser than strict mode takes it."""
    if isinstance(schema, list):
        for inner in schema:
            yield from _loose(inner)
    if not isinstance(schema, dict):
        return
    yield from (f"'{name}' is not permitted." for name in ("allOf", "oneOf", "default", "not") if name in schema)
    if "$ref" in schema and len(schema) > 1:
        yield "$ref cannot have keywords beside it."
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield "'additionalProperties' is required to be supplied and to be false."
        if set(schema.get("required", ())) != set(schema.get("properties", {})):
            yield "'required' is required to be an array including every key in properties."
    for name in ("properties", "$defs"):
        yield from _loose(list(schema.get(name, {}).values()))
    for name in ("items", "anyOf"):
        yield from _loose(schema.get(name))


def _about_the_tools(body: Json) -> Iterator[str]:
    tools = body.get("tools") or []
    for number, tool in enumerate(tools):
        if tool.get("type") == "function" and not tool.get("name"):
            yield f"Missing required parameter: 'tools[{number}].name'."
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("name") not in {tool.get("name") for tool in tools}:
        yield f"Tool choice '{choice.get('type')}' not found in 'tools' parameter."


def _about_the_calls(items: list[Json]) -> Iterator[str]:
    open_calls: set[str] = set()
    for item in items:
        if item.get("type") == "function_call":
            open_calls.add(item["call_id"])
        elif item.get("type") == "function_call_output":
            if item["call_id"] not in open_calls:
                yield f"No tool call found for function call output with call_id {item['call_id']}."
            open_calls.discard(item["call_id"])
    yield from (f"No tool output found for function call {call}." for call in sorted(open_calls))


def _about_an_item(item: Json, following: Json, model: str) -> Iterator[str]:
    match item:
        case {"type": "reasoning", "id": item_id}:
            if not item.get("encrypted_content"):
                yield f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to false."
            elif item["encrypted_content"] != seal(model, item_id):
                yield f"The encrypted content {item['encrypted_content'][:8]}... could not be verified."
            if following.get("role") != "assistant" and following.get("type") not in ("reasoning", "function_call"):
                yield f"Item '{item_id}' of type 'reasoning' was provided without its required following item."
        case {"role": role, "content": content} if not isinstance(content, str):
            known = _PARTS["assistant" if role == "assistant" else "user"]
            yield from (
                f"Invalid value: '{part['type']}'. Supported values are: {', '.join(map(repr, sorted(known)))}."
                for part in content
                if part["type"] not in known
            )
            for part in content:
                if part["type"] == "input_image" and not re.match("https?://|data:image/", part["image_url"]):
                    yield f"Invalid 'image_url'. Expected a valid URL, but got {part['image_url']!r}."
        case {"role": _} | {"type": "function_call" | "function_call_output"}:
            return
        case _:
            yield f"Invalid value: '{item.get('type')}' is not an item of an input."
