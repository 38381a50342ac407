"""What every shape on the gateway's wires has in common, and how a body is read into one."""

import json
from collections.abc import Callable, Coroutine, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, Final, TypeVar, get_type_hints

from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from mcp_server.refusals import Refusal
from toolkit.errors import choices
from toolkit.redaction import redact

_UNKNOWN: Final = "extra_forbidden"
_LONGEST: Final = 60  # characters of a name that is told back


class Shape(BaseModel):
    """A JSON object of a request: its fields, of exactly their types, and no others.

    Attributes:
        hints: by field, here or within, what to write instead of one that is not taken.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    hints: ClassVar[Mapping[str, str]] = {}


S = TypeVar("S", bound=Shape)


class Described(APIRoute):
    """A route whose signature describes its body, which is read once, by pydantic's own parser, before the call.

    FastAPI's way is to read the JSON, check it, and check the answer: more than everything else that the gateway does.
    The function is called with the request and the body.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What serves a request."""
        serve = self.endpoint
        shape = get_type_hints(serve)["body"]

        async def handle(request: Request) -> Response:
            response: Response = await serve(request, read(shape, await request.body()))
            return response

        return handle


def read(shape: type[S], raw: bytes) -> S:
    """The body of a request.

    Raises:
        Refusal: it is not of that shape; the sentence names the field that is wrong, and what comes near to it.
    """
    try:
        return shape.model_validate_json(raw)
    except ValidationError as error:
        raise _refusal(shape, error, raw) from None


def _refusal(shape: type[Shape], error: ValidationError, raw: bytes) -> Refusal:
    found = error.errors(include_url=False)
    # Of a field that may be of several types each is told; the one that was meant was found to be wrong deepest.
    worst = max(found, key=lambda each: (each["type"] == _UNKNOWN, len(each["loc"])))
    kind = worst["type"]
    if kind == "json_invalid":
        return Refusal(400, f"The body is not JSON: {worst['ctx']['error']}.", "invalid_json")
    place = _place(worst["loc"], raw)
    if kind.startswith("union_tag"):
        place.append(worst["ctx"]["discriminator"].strip("'"))
    param = ".".join(map(str, place)) or None
    if kind == _UNKNOWN:
        return Refusal(400, _unknown(shape, str(place[-1])[:_LONGEST], param or ""), "unknown_field", param)
    if kind in ("missing", "union_tag_not_found"):
        return Refusal(400, f"`{param}` is missing.", "missing_field", param)
    said = "; ".join(_complaints([each for each in found if _place(each["loc"], raw) == place] or [worst]))
    word = worst["ctx"]["tag"] if kind == "union_tag_invalid" else worst["input"]
    hint = shape.hints.get(word) if isinstance(word, str) else None
    return Refusal(
        400, redact(f"{f'`{param}`' if param else 'The body'}: {said}{f' ({hint})' if hint else ''}."), param=param
    )


def _complaints(found: list[Any]) -> list[str]:
    """What is wrong with one value; where it is of one of the types that it may be of, what is wrong with that."""
    close = [each for each in found if not each["type"].endswith("_type")] or found
    told = []
    for each in close:
        if each["type"] == "union_tag_invalid":
            context = each["ctx"]
            told.append(f"{context['tag'][:_LONGEST]!r} is not taken; there are {context['expected_tags']}")
        else:
            told.append(each["msg"][0].lower() + each["msg"][1:])
    return list(dict.fromkeys(told))


def _unknown(shape: type[Shape], name: str, param: str) -> str:
    said = f"There is no field `{redact(param)}`"
    if hint := shape.hints.get(name):
        return f"{said}; {hint}."
    if "." not in param and (near := get_close_matches(name, shape.model_fields, n=2, cutoff=0.6)):
        return f"{said} ({choices(near)} near to it)."
    if "." not in param and "extra" in shape.model_fields:
        return f"{said}; what only the vendor knows goes into `extra`."
    return f"{said}."


def _place(loc: tuple[int | str, ...], raw: bytes) -> list[int | str]:
    """Where in the body an error lies: pydantic's own path names the branches of unions, too."""
    at: Any = json.loads(raw)
    place: list[int | str] = []
    for number, part in enumerate(loc):
        inside = (isinstance(at, dict) and part in at) or (isinstance(at, list) and isinstance(part, int))
        if inside:
            at = at[part]
            place.append(part)
        elif number == len(loc) - 1 and isinstance(at, dict):  # it is missing
            place.append(part)
    return place
