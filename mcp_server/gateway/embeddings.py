"""`POST /v1/embeddings`: OpenAI's wire for vectors."""

import asyncio
import struct
from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response

from mcp_server.asker import asker
from mcp_server.gateway.asked import LEAST_TIMEOUT, LONGEST_TIMEOUT, Name
from mcp_server.gateway.headers import answered
from mcp_server.gateway.shapes import Described, Shape
from mcp_server.gateway.sse import Attended, nobody
from mcp_server.gateway.told import REFUSALS, Embeddings
from mcp_server.gateway.writing import dumped
from mcp_server.refusals import Refusal
from toolkit.access.scopes import CHAT, SEARCH
from toolkit.messages import Json
from toolkit.models.tokens import count_text

router = APIRouter(tags=["OpenAI's wire"], route_class=Described)

_Text = Annotated[str, Field(min_length=1, pattern=r"\S")]


def _in_words(given: Any) -> Any:
    """What is to become vectors; numbers of tokens mean something to one vendor's models only."""
    first = given[0] if isinstance(given, list) and given else None
    if isinstance(first, int | list):
        said = "tokens by their numbers are not taken; send texts (in LangChain: check_embedding_ctx_length=False)"
        raise PydanticCustomError("tokens", said)
    return given


class EmbeddingsBody(Shape):
    """Texts that are to become vectors."""

    model_config = ConfigDict(
        title="EmbeddingsRequest", json_schema_extra={"example": {"input": ["How do I add a model?"]}}
    )
    hints: ClassVar[Mapping[str, str]] = {"dimensions": "vectors have as many numbers as the model makes"}

    input: Annotated[
        _Text | Annotated[list[_Text], Field(min_length=1, max_length=2048)], BeforeValidator(_in_words)
    ] = Field(description="A text or several, none of them blank; tokens by their numbers are not taken.")
    model: Name | None = Field(
        None,
        description="A model of `GET /v1/models` or an embedder; `default` or none: that of the server.",
        examples=["default"],
    )
    encoding_format: Literal["float", "base64"] | None = Field(None, description="How vectors are written.")
    user: Name | None = Field(None, description="On whose behalf; vendors are not told.")
    timeout: float | None = Field(
        None, ge=LEAST_TIMEOUT, le=LONGEST_TIMEOUT, description="The toolkit's: seconds, at most."
    )


@router.post(
    "/v1/embeddings",
    summary="Make vectors",
    description="OpenAI's embeddings, by any embedder that the toolkit has; one runs on the server itself.",
    responses={200: {"model": Embeddings}, **REFUSALS},
)
async def embeddings(request: Request, body: EmbeddingsBody) -> Response:
    """One vector per text."""
    who = await asker(request)
    if not {CHAT, SEARCH} & who.who.scopes:
        raise Refusal(403, "This needs the scope chat or search.", "missing_scope")
    texts = [body.input] if isinstance(body.input, str) else body.input
    model = None if body.model == "default" else body.model
    async with Attended(request.receive):
        vectors = await who.tk.embed(texts, model=model, timeout=body.timeout or 60.0)
        name = model or who.tk.embedders.default
        said = await asyncio.to_thread(_written, texts, vectors, name, packed=body.encoding_format == "base64")
        return Response(said, 200, answered(name, ()), "application/json")
    return nobody()


def _written(texts: list[str], vectors: list[list[float]], model: str, *, packed: bool) -> bytes:
    """The answer; many vectors take longer than others should wait."""
    tokens = sum(count_text(text, model) for text in texts)
    answer: Json = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else vector}
            for index, vector in enumerate(vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return dumped(answer)


def _packed(vector: list[Any]) -> str:
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
