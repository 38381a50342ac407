"""The least that a gateway can be, which `benchmarks.gateway` measures everybody by: Starlette over OpenAI's client.

    python -m benchmarks.servers.passthrough VENDOR_URL

It asks nobody who calls, keeps nothing, and passes each answer on as OpenAI's client has read it.
"""

import socket
import sys
from collections.abc import AsyncIterator

import uvicorn
from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

client = AsyncOpenAI(base_url=sys.argv[1], api_key="key", max_retries=0)


async def chat(request: Request) -> Response:
    """One question, passed on."""
    answer = await client.chat.completions.create(**await request.json())
    if isinstance(answer, AsyncIterator):
        return StreamingResponse(_events(answer), media_type="text/event-stream")
    return Response(answer.model_dump_json(), media_type="application/json")


async def _events(chunks: AsyncIterator[object]) -> AsyncIterator[str]:
    async for chunk in chunks:
        yield f"data: {chunk.model_dump_json()}\n\n"  # type: ignore[attr-defined] # OpenAI's chunk
    yield "data: [DONE]\n\n"


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"Serving at http://127.0.0.1:{listening.getsockname()[1]}", file=sys.stderr, flush=True)
    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listening])
