"""Questions, answers and errors as plain data, and back."""

import base64
import builtins
import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from toolkit import errors
from toolkit.errors import ProviderError, ToolArgumentsError, ToolkitError
from toolkit.messages import (
    ChatRequest,
    Completion,
    Delta,
    Embeddings,
    Json,
    Message,
    ToolCallFragment,
    Usage,
)
from toolkit.providers.cassette.veil import Veil

_BY_MESSAGE_ALONE: Final = (Exception.__init__, ToolkitError.__init__, ToolArgumentsError.__init__)
"""How errors are made that are told again by their message."""

_LONG: Final = 400
"""Characters from which on a text that only a vendor reads is known by its hash."""
_FEW: Final = 16
"""Numbers of a vector up to which they are written out."""
_FIELDS: Final = ("temperature", "max_tokens", "stop", "seed", "extra", "tool_choice")


def question(request: ChatRequest, veil: Veil, ids: list[str]) -> Json:
    """What a model is asked, without what is empty; pictures, and what only a vendor reads, by their hashes."""
    out: Json = {"messages": [_asked(message) for message in request.messages]}
    if request.tools:
        out["tools"] = [
            {"name": tool.name, "description": tool.description, "parameters": plain(tool.parameters)}
            for tool in request.tools
        ]
    if request.sources:
        out["sources"] = [{"id": source.id, "title": source.title, "text": source.text} for source in request.sources]
    for name in _FIELDS:
        value = getattr(request, name)
        if value is not None and value not in ((), {}):
            out[name] = plain(value)
    if request.output:
        out["output"] = {"name": request.output.name, "schema": plain(request.output.schema)}
    hidden: Any = veil.hide(out, ids, add=True)
    for message in hidden["messages"]:
        if "opaque" in message:  # hidden before: a hash must not depend on this machine
            message["opaque"] = _shortened(message["opaque"])
    for source in hidden.get("sources", ()):  # its text stands in the messages, too
        source["text"] = _hash(source["text"])
    asked: Json = hidden
    return asked


def plain(value: Any) -> Any:
    """`value` as JSON has it: mappings, lists, texts, numbers, true, false and null."""
    match value:
        case str() | bool() | int() | float() | None:
            return value
        case Mapping():
            return {str(name): plain(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(each) for each in (value if isinstance(value, Sequence) else sorted(value, key=str))]
        case _:
            return str(value)


def said(completion: Completion, deltas: Sequence[Delta], veil: Veil, ids: list[str]) -> Json:
    """A whole answer, and the pieces in which it came, if it was streamed."""
    message = completion.message.to_json()
    if message["role"] == "assistant":
        del message["role"]
    out: Json = veil.hide(plain(message), ids)
    if deltas:
        pieces = heard(deltas, veil, ids)
        if pieces["text"] == out["text"]:
            del pieces["text"]
        else:
            pieces["streamed"] = pieces.pop("text")
        out |= pieces
        out["joined"] = bool(deltas[-1].text or deltas[-1].tool_calls)
        if not out["joined"]:
            del out["joined"]
            out["pieces"].pop()
    if completion.finish_reason != "stop":
        out["finish_reason"] = completion.finish_reason
    return (
        out
        | _counted(completion.usage, completion.request_id)
        | ({"tier": completion.tier} if completion.tier else {})
        | ({"extra": plain(completion.extra)} if completion.extra else {})
    )


def heard(deltas: Sequence[Delta], veil: Veil, ids: list[str]) -> Json:
    """The pieces of a stream: their text, and of each how long its part of that is, or what else it is."""
    text, lengths = veil.hide_pieces([delta.text for delta in deltas], ids)
    if len(lengths) < len(deltas):
        lengths += [0] * (len(deltas) - len(lengths))
    pieces: list[Any] = []
    for delta, length in zip(deltas, lengths, strict=True):
        calls = [veil.hide(_fragment(call), ids) for call in delta.tool_calls]
        pieces.append({**({"text": length} if length else {}), "calls": calls} if calls else length)
    return {"text": text, "pieces": pieces}


def answer(value: Json, veil: Veil, ids: Sequence[str]) -> Completion:
    """The answer that `said` gave."""
    shown = veil.show({name: value[name] for name in value if name not in ("pieces", "streamed", "usage")}, ids)
    return Completion(
        Message.from_json({"role": "assistant", **shown}),
        finish_reason=shown.get("finish_reason", "stop"),
        usage=_usage(value),
        request_id=shown.get("request_id"),
        tier=shown.get("tier"),
        extra=shown.get("extra"),
    )


def pieces(value: Json, veil: Veil, ids: Sequence[str]) -> Iterator[Delta]:
    """The pieces of a streamed answer; the last one of a whole one has no completion yet."""
    rest: str = value["streamed"] if "streamed" in value else value.get("text", "")
    listed: list[Any] = value.get("pieces", [len(rest)] if rest else [])
    for place, piece in enumerate(listed, 1):
        length, calls = (piece.get("text", 0), piece.get("calls", ())) if isinstance(piece, dict) else (piece, ())
        last = place == len(listed)  # also where somebody has mended the text by hand
        text, rest = (rest, "") if last else (rest[:length], rest[length:])
        yield Delta(veil.show(text, ids), tuple(ToolCallFragment(**veil.show(dict(call), ids)) for call in calls))


def vectors(embeddings: Embeddings) -> Json:
    """Vectors, each number exactly."""
    packed = [_packed(vector) for vector in embeddings.vectors]
    return {"vectors": packed} | _counted(embeddings.usage, embeddings.request_id)


def embeddings(value: Json) -> Embeddings:
    """The vectors that `vectors` gave."""
    unpacked = [_unpacked(each) if isinstance(each, str) else each for each in value["vectors"]]
    return Embeddings(unpacked, usage=_usage(value), request_id=value.get("request_id"))


def failure(error: Exception, vendor: str | None, veil: Veil, ids: list[str]) -> Json:
    """What a call failed with."""
    out: Json = {"class": type(error).__name__, "message": veil.hide(str(error), ids)}
    if isinstance(error, ProviderError):
        if error.provider != vendor:
            out["provider"] = error.provider
        out |= {"status": error.status, "retry_after": error.retry_after}
        out |= _counted(error.usage, error.request_id)
    return {name: value for name, value in out.items() if value is not None}


def exception(value: Json, vendor: str, veil: Veil, ids: Sequence[str]) -> Exception:
    """The error that `failure` told of, ready to be raised."""
    name, message = value.get("class", "Exception"), veil.show(value.get("message", ""), ids)
    kind = getattr(errors, name, None)
    if not isinstance(kind, type):
        kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, ProviderError):
        known = kind(
            message,
            provider=value.get("provider", vendor),
            status=value.get("status"),
            request_id=value.get("request_id"),
            retry_after=value.get("retry_after"),
        )
        known.usage = _usage(value)
        return known
    if (
        isinstance(kind, type)
        and issubclass(kind, Exception)
        and (kind.__init__ in _BY_MESSAGE_ALONE or issubclass(kind, OSError))
    ):
        return kind(message)
    other: type[Exception] = type(name, (Exception,), {})  # only its name and its message are ever told
    return other(message)


def _asked(message: Message) -> Json:
    out: Json = plain(message.to_json())
    for ours in ("pinned", "stopped"):  # no vendor is told
        out.pop(ours, None)
    if "images" in out:
        out["images"] = [_picture(url) for url in out["images"]]
    return out


def _picture(url: str) -> str:
    kind, comma, _ = url.partition(",")
    return f"{kind},{_hash(url)}" if comma and kind.startswith("data:") else url


def _shortened(value: Any) -> Any:
    match value:
        case dict():
            return {name: _shortened(each) for name, each in value.items()}
        case list():
            return [_shortened(each) for each in value]
        case str() if len(value) >= _LONG:
            return _hash(value)
        case _:
            return value


def _hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:32]}"


def _fragment(call: ToolCallFragment) -> Json:
    out: Json = {"index": call.index}
    return out | {name: text for name in ("id", "name", "arguments") if (text := getattr(call, name))}


def _counted(usage: Usage | None, request_id: str | None) -> Json:
    out: Json = {} if usage is None else {"usage": usage.to_json()}
    return out if request_id is None else {**out, "request_id": request_id}


def _usage(value: Json) -> Usage | None:
    return Usage.from_json(value["usage"]) if "usage" in value else None


def _packed(vector: Sequence[float]) -> str | list[float]:
    if len(vector) <= _FEW:
        return list(vector)
    for kind, letter in (("float32", "f"), ("float64", "d")):
        try:
            packed = struct.pack(f"<{len(vector)}{letter}", *vector)
        except OverflowError:
            continue
        if list(struct.unpack(f"<{len(vector)}{letter}", packed)) == list(vector):
            return f"{kind}:{base64.b64encode(packed).decode()}"
    return list(vector)


def _unpacked(text: str) -> list[float]:
    kind, _, packed = text.partition(":")
    raw = base64.b64decode(packed)
    letter, size = {"float32": ("f", 4), "float64": ("d", 8)}[kind]
    return list(struct.unpack(f"<{len(raw) // size}{letter}", raw))
