"""The HTTP connection under a vendor's SDK: one request, a limit on each wait, and failures in the toolkit's words."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import cache
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import anyio
import httpx2

from toolkit.errors import BadAnswer, ProviderError, ToolkitError
from toolkit.messages import Completion, Delta, Json, Usage
from toolkit.providers.wire.failures import error_of_exception, error_of_response, no_answer, request_id
from toolkit.providers.wire.patience import Patience

T = TypeVar("T")

_AFTERWARDS = 2.0
"""Seconds that a whole answer waits for what may still follow it: the count of its tokens, the end of the body."""

_AFTER_DONE = 0.1
"""Seconds that it waits where only the end of the body is left."""

_SLACK = 5.0
"""Seconds after which the client below would give up, when ours should have been over."""

_DONE = b"[DONE]"
"""OpenAI's mark that the stream is over; it is the only event that is not JSON."""

_OF_ONE_REQUEST = frozenset({b"content-length", b"x-stainless-timeout", b"x-stainless-read-timeout"})
"""Headers that an SDK gives another value in each request."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

_STREAMS = ("text/event-stream", "application/vnd.amazon.eventstream")

Events: TypeAlias = Callable[[AsyncIterator[bytes]], AsyncGenerator[bytes, None]]
"""Cuts the chunks of a streamed body into the data of its events."""

_BROKEN = (httpx2.HTTPError, httpx2.StreamError, anyio.EndOfStream, OSError, ValueError, ToolkitError)


class Client(Protocol):
    """What the asynchronous clients of both SDKs have in common."""

    async def post(
        self,
        path: str,
        *,
        cast_to: Any,
        body: Any = None,
        content: bytes | None = None,
        options: Any,
        stream: Literal[True],
        stream_cls: Any,
    ) -> Any:
        """Send a request; the answer is an SDK's stream."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class Reader(Protocol):
    """Reads one answer in a vendor's words."""

    def feed(self, data: Json, /) -> Delta | None:
        """The next event of a stream, or a whole body; what it adds to the answer, None if nothing."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the answer's end mark has been read."""
        ...

    @property
    def usage(self) -> Usage | None:
        """The tokens that the vendor has counted so far, None if it has not."""
        ...

    def completion(self, request_id: str | None, /) -> Completion:
        """The whole answer. Raises BadAnswer or ContentRefused."""
        ...


class Connection:
    """Speaks to one vendor through its SDK's client.

    The SDK keeps the key, the address and the headers. Its own models of the answers are left aside: they would take
    most of the time of a streamed answer, and would let a body that is no JSON, an error under status 200 and a stream
    without its end mark pass as answers.

    Args:
        provider: the vendor's name in the toolkit.
        client: the SDK's client.
        stream_class: the SDK's class of streams.
        secrets: what the vendor may repeat and no message must.
        events: how a streamed body is cut into events; `server_sent` if not given.
        below: the client that the SDK's client sends by, where all requests to a path have the same headers. The SDK
            then makes only the first that succeeds, and the others are sent in its likeness: what it does again for
            each of them costs more than all the rest.
    """

    def __init__(
        self,
        provider: str,
        client: Client,
        stream_class: Any,
        *secrets: str,
        events: Events | None = None,
        below: httpx2.AsyncClient | None = None,
    ) -> None:
        self._provider = provider
        self._events = events or server_sent
        self._below = below
        self._models: dict[str, httpx2.Request] = {}  # by path: a request that the SDK made
        self._client = client
        self._stream_class = stream_class
        self._secrets = secrets

    async def fetch(self, path: str, body: Json, read: Callable[[Json], T], *, timeout: float) -> tuple[T, str | None]:
        """What `read` makes of the vendor's answer, and the vendor's id of the request.

        Raises:
            ProviderError: there was no answer within `timeout` seconds, or `read` could not make sense of it.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._fetch(path, body, read, timeout)
        except ToolkitError:
            raise
        except Exception as failure:  # noqa: BLE001 - whatever it is, it becomes a ProviderError
            raise self._error(failure, timeout) from None

    async def follow(self, path: str, body: Json, reader: Reader, *, timeout: float) -> AsyncGenerator[Delta, None]:
        """The pieces of a streamed answer as they come, the last one with the whole.

        Raises:
            ProviderError: the next one did not come within `timeout` seconds, or the answer broke off.
        """
        patience = Patience(timeout)
        try:
            with patience:
                response = await self._post(path, body, timeout)
            async with aclosing(response), aclosing(await self._opened(response, patience)) as events:
                while True:
                    with patience:
                        event = await anext(events, None)
                    if event is None:
                        break
                    if event != _DONE and (piece := self._read(reader.feed, event, response)):
                        yield piece
                        patience.begin()
                    if reader.whole:
                        await self._finish(reader, events, response, min(_AFTERWARDS, timeout / 2))
                        break
            last = Delta(completion=reader.completion(request_id(response.headers)))
        except ProviderError as broken:
            broken.usage = reader.usage
            raise
        except ToolkitError:
            raise
        except Exception as failure:  # noqa: BLE001 - whatever it is, it becomes a ProviderError
            error = self._error(failure, timeout)
            error.usage = reader.usage
            raise error from None
        finally:
            patience.close()
        yield last

    async def use(self, call: Callable[[Any], Awaitable[T]], *, timeout: float) -> T:
        """What `call` makes of the SDK's client: for what is no question and no answer, as files and batches are.

        Raises:
            ProviderError: it failed, or took more than `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                return await call(self._client)
        except ToolkitError:
            raise
        except Exception as failure:  # noqa: BLE001 - whatever it is, it becomes a ProviderError
            raise self._error(failure, timeout) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _fetch(self, path: str, body: Json, read: Callable[[Json], T], seconds: float) -> tuple[T, str | None]:
        async with aclosing(await self._post(path, body, seconds)) as response:
            return self._read(read, await response.aread(), response), request_id(response.headers)

    async def _opened(self, response: httpx2.Response, patience: Patience) -> AsyncGenerator[bytes, None]:
        """The events of a stream, which the response has to be."""
        if not response.headers.get("content-type", "").startswith(_STREAMS):
            with patience:
                self._json(await response.aread(), response)
            raise self._no_answer("it was asked for a stream and sent none", response)
        # What is not encoded needs none of the layers that would decode it.
        stream = response.stream
        if "content-encoding" not in response.headers and isinstance(stream, httpx2.AsyncByteStream):
            return self._events(aiter(stream))
        return self._events(response.aiter_bytes())

    def _error(self, failure: Exception, seconds: float) -> ProviderError:
        # Not chained where it is raised: the text of an SDK's exception may repeat the key.
        return error_of_exception(self._provider, failure, *self._secrets, seconds=seconds)

    async def _finish(
        self, reader: Reader, events: AsyncIterator[bytes], response: httpx2.Response, seconds: float
    ) -> None:
        """Read what follows the end mark. The answer is whole, so that nothing that happens here can spoil it."""
        with contextlib.suppress(*_BROKEN):
            async with asyncio.timeout(seconds) as limit:
                async for event in events:
                    if event == _DONE:
                        # All that is left is the end of the body, without which the connection cannot be used again.
                        limit.reschedule(asyncio.get_running_loop().time() + _AFTER_DONE)
                    else:
                        self._read(reader.feed, event, response)

    async def _post(self, path: str, body: Json, seconds: float) -> httpx2.Response:
        if self._below is None:
            return await self._post_by_sdk(path, seconds, body=body)
        content = _ENCODER.encode(body).encode()
        model = self._models.get(path)
        if model is None:
            response = await self._post_by_sdk(path, seconds, content=content)
            self._models[path] = response.request
            return response
        headers = [header for header in model.headers.raw if header[0].lower() not in _OF_ONE_REQUEST]
        headers.append((b"Content-Length", b"%d" % len(content)))
        limits = {"timeout": httpx2.Timeout(seconds + _SLACK).as_dict()}
        request = httpx2.Request("POST", model.url, headers=headers, content=content, extensions=limits)
        response = await self._below.send(request, stream=True)
        if not response.is_success:
            async with aclosing(response):
                said = await response.aread()
            raise error_of_response(self._provider, response.status_code, response.headers, _body(said), *self._secrets)
        return response

    async def _post_by_sdk(self, path: str, seconds: float, **request: Any) -> httpx2.Response:
        # Asked for a stream, the SDK hands over the response before it has read it, whatever it then turns out to be.
        # Its own limit must not be over in the same moment as ours: each would take itself for the other.
        options = {"timeout": seconds + _SLACK}
        opened = await self._client.post(
            path, cast_to=object, options=options, stream=True, stream_cls=self._stream_class, **request
        )
        response: httpx2.Response = opened.response
        return response

    def _read(self, read: Callable[[Json], T], data: bytes, response: httpx2.Response) -> T:
        value = self._json(data, response)
        try:
            return read(value)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            reason = f"its JSON is not what was expected: {type(error).__name__} at {error}"
            raise self._no_answer(reason, response) from error

    def _json(self, data: bytes, response: httpx2.Response) -> Json:
        try:
            value = json.loads(data)
        except ValueError:
            raise self._no_answer("what it sent is not JSON", response) from None
        if isinstance(value, list) and len(value) == 1:
            value = value[0]  # Google puts what went wrong into a list
        if not isinstance(value, dict):
            raise self._no_answer("what it sent is not a JSON object", response)
        if error := _error_in(value):
            raise error_of_response(self._provider, response.status_code, response.headers, error, *self._secrets)
        return value

    def _no_answer(self, reason: str, response: httpx2.Response) -> BadAnswer:
        return no_answer(self._provider, reason, status=response.status_code, request_id=request_id(response.headers))


def _body(said: bytes) -> object:
    """The JSON of a response, else its text."""
    try:
        return json.loads(said)
    except ValueError:
        return said.decode(errors="replace")


def _error_in(value: Json) -> Json | None:
    """The part of a body or an event that holds an error object or is one; None if it tells of no error.

    OpenAI's responses say it all three ways: beside the answer, within it, and as an event that is the error itself.
    """
    inner = value.get("response")
    if isinstance(inner, dict) and inner.get("error"):
        return inner
    return value if value.get("error") or value.get("type") == "error" else None


async def server_sent(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The data of each server-sent event; one that is not closed by an empty line is dropped, as the standard says.

    Lines end with LF or CRLF: a decoder of text would also break them at U+2028, which may stand in JSON as it is.
    """
    rest = b""
    data: list[bytes] = []
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for raw in lines:
            line = raw.removesuffix(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data)
                data = []


def http_client(kind: Callable[..., httpx2.AsyncClient]) -> httpx2.AsyncClient:
    """A client for one vendor: cheap, for reading the certificates costs 20 ms.

    It follows no redirects: a vendor's address does not move, and what was asked would go to a host that nobody named.

    Args:
        kind: the SDK's `DefaultAioHttpClient`: aiohttp costs a third of what the SDK would use by itself.
    """
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
    return kind(verify=_certificates(), limits=limits, follow_redirects=False)


@cache
def _certificates() -> ssl.SSLContext:
    return httpx2.create_ssl_context()
