"""Which vendors the server plays, at which paths, and in whose words it answers there."""

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote

from toolkit.messages import Json
from toolkit.testing import anthropic_wire, bedrock_wire, openai_wire, responses_wire
from toolkit.testing.chat_wires import AZURE, COMPATIBLE, FIREWORKS, GOOGLE, GROQ, OLLAMA
from toolkit.testing.wire import Wire

Serves: TypeAlias = Literal["chat", "embeddings", "models"]


@dataclass(frozen=True, slots=True)
class Route:
    """One path of one vendor.

    Attributes:
        vendor: the first part of the path, which is who the client takes the server for.
        path: a regular expression for the rest. A group `model` in it stands for the `model` of the body, and a group
            `stream` that is met for its `stream`.
        serves: what is done there.
        wire: in whose words.
    """

    vendor: str
    path: str
    serves: Serves
    wire: Wire

    def request(self, path: str, body: Json) -> Json | None:
        """The request with what its path says; None if this is not its route."""
        found = re.fullmatch(self.path, path)
        if found is None:
            return None
        said = found.groupdict()
        asked = {"model": unquote(said["model"])} if said.get("model") else {}
        return {**body, **asked, **({"stream": True} if said.get("stream") else {})}


_CLAUDE_AT_GOOGLE = r"/v1/projects/[^/]+/locations/[^/]+/publishers/anthropic/models"

ROUTES: Final = (
    Route("openai", r"/v1/chat/completions", "chat", openai_wire),
    Route("openai", r"/v1/responses", "chat", responses_wire),
    Route("openai", r"/v1/embeddings", "embeddings", openai_wire),
    Route("openai", r"/v1/models", "models", openai_wire),
    Route("anthropic", r"/v1/messages", "chat", anthropic_wire),
    Route("bedrock", r"/model/(?P<model>[^/]+)/invoke(?P<stream>-with-response-stream)?", "chat", bedrock_wire),
    Route("bedrock", r"/openai/v1/chat/completions", "chat", openai_wire),
    Route(
        "vertex", rf"{_CLAUDE_AT_GOOGLE}/(?P<model>[^/]+):(?:(?P<stream>streamR)|r)awPredict", "chat", anthropic_wire
    ),
    Route("vertex", r"/v1/projects/[^/]+/locations/[^/]+/endpoints/openapi/chat/completions", "chat", openai_wire),
    Route("azure", r"/openai/v1/chat/completions", "chat", AZURE),
    Route("azure", r"/openai/v1/responses", "chat", responses_wire),
    Route("azure", r"/openai/deployments/(?P<model>[^/]+)/chat/completions", "chat", AZURE),
    Route("azure", r"/openai/(?:v1|deployments/(?P<model>[^/]+))/embeddings", "embeddings", AZURE),
    Route("google", r"/v1beta/openai/chat/completions", "chat", GOOGLE),
    Route("google", r"/v1beta/openai/embeddings", "embeddings", GOOGLE),
    Route("groq", r"/openai/v1/chat/completions", "chat", GROQ),
    Route("fireworks", r"/inference/v1/chat/completions", "chat", FIREWORKS),
    Route("fireworks", r"/inference/v1/embeddings", "embeddings", FIREWORKS),
    Route("ollama", r"/v1/chat/completions", "chat", OLLAMA),
    Route("ollama", r"/v1/embeddings", "embeddings", OLLAMA),
    Route("compatible", r"/v1/chat/completions", "chat", COMPATIBLE),
    Route("compatible", r"/v1/embeddings", "embeddings", COMPATIBLE),
)

VENDORS: Final = tuple(dict.fromkeys(route.vendor for route in ROUTES))

WIRES: Final[dict[str, Wire]] = {route.vendor: route.wire for route in reversed(ROUTES)}
"""The words in which each vendor complains of a path that it does not have: those of its first route."""


def find(vendor: str, path: str, body: Json) -> tuple[Route, Json] | None:
    """The route of a path, and the request that its path and body are together; None if there is none."""
    for route in ROUTES:
        if route.vendor == vendor and (request := route.request(path, body)) is not None:
            return route, request
    return None
