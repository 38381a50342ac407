"""A server that speaks as OpenAI and Anthropic do, and fails on demand: for tests, demonstrations and measurements.

    async with VendorServer() as vendors:
        vendors.say("Paris.")
        vendors.fail("openai", Fault.status(529), times=1)
        async with Toolkit.open("sqlite://", settings=Settings.from_env(vendors.environ())) as tk:
            reply = await tk.complete("What is the capital of France?")

Nothing leaves the machine: it listens on 127.0.0.1, on a free port, in a thread of its own.
"""

import asyncio
import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from toolkit.messages import Completion, Json, Message, ToolCall
from toolkit.testing import anthropic_wire, openai_wire
from toolkit.testing.anthropic_batches import AnthropicBatches
from toolkit.testing.batch_plan import BatchPlan
from toolkit.testing.faults import Fault
from toolkit.testing.listener import Exchange, HttpRequest, Listener
from toolkit.testing.openai_batches import OpenAIBatches
from toolkit.testing.routes import VENDORS, WIRES, Route, find
from toolkit.testing.wire import Script, Wire

__all__ = ["Asked", "Fault", "VendorServer"]

_HEARD = 0.1
"""Seconds before a connection is cut, in which a client reads what was sent before: its library may forget the rest."""

_SECRET = frozenset({"authorization", "x-api-key", "cookie", "proxy-authorization"})
_STREAM = {"cache-control": "no-cache", "transfer-encoding": "chunked"}
_JSON = {"content-type": "application/json"}


@dataclass(slots=True)
class Asked:
    """One request that the server got.

    Attributes:
        vendor: `"openai"`, `"anthropic"` …: whom the client took the server for.
        path: behind the vendor's name, e.g. `"/v1/messages"`.
        body: the JSON that was sent; empty where none was.
        headers: by name in lower case; those that carry a secret say only `"present"`.
        abandoned: set when the client went away before it had the whole answer.
        struck_at: when its fault struck, by `time.monotonic`; None as long as none did.
    """

    vendor: str
    path: str
    body: Json
    headers: Mapping[str, str]
    abandoned: threading.Event
    struck_at: float | None = None


class VendorServer:
    """Every vendor on one port; `with` or `async with` starts and stops it.

    Without instructions it answers every question with an echo of its last words, always the same for the same
    question. Requests that the real vendor would refuse (a tool result without its call, two turns of one role in
    sequence) are refused.

    Args:
        reply: says something else than the echo: gets the body of a question, and gives the answer.

    Attributes:
        requests: what was asked, oldest first.
        batch_plan: how the vendors' own batches turn out.
        batches: those batches, by vendor.
    """

    def __init__(self, reply: Callable[[Json], str | Message | Completion] | None = None) -> None:
        self._reply = reply
        self.requests: list[Asked] = []
        self._listener = Listener(self._handle)
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._answers: dict[str | None, deque[Completion]] = {name: deque() for name in (None, *VENDORS)}
        self._faults: dict[str, deque[_Planned]] = {name: deque() for name in VENDORS}
        self.batch_plan = BatchPlan()
        self.batches: dict[str, OpenAIBatches | AnthropicBatches] = {
            "openai": OpenAIBatches(self.batch_plan, lambda body: self._in_batch(openai_wire, body)),
            "anthropic": AnthropicBatches(
                self.batch_plan, lambda body: self._in_batch(anthropic_wire, body), lambda: self.anthropic_url
            ),
        }

    def url(self, vendor: str) -> str:
        """The address at which the server is `vendor`; its paths follow behind it."""
        return f"http://127.0.0.1:{self._listener.port}/{vendor}"

    @property
    def openai_url(self) -> str:
        """What an OpenAI client takes as `base_url`."""
        return f"{self.url('openai')}/v1"

    @property
    def anthropic_url(self) -> str:
        """What an Anthropic client takes as `base_url`."""
        return self.url("anthropic")

    def environ(self) -> dict[str, str]:
        """The variables that lead both vendors' clients, and the toolkit, here."""
        return {
            "OPENAI_API_KEY": "test",
            "OPENAI_BASE_URL": self.openai_url,
            "ANTHROPIC_API_KEY": "test",
            "ANTHROPIC_BASE_URL": self.anthropic_url,
        }

    def say(self, *answers: str | Message | Completion, vendor: str | None = None) -> None:
        """Answer the next questions so, one answer each; then echo again.

        An answer that breaks off is used up; a request that fails before its answer has begun uses none.

        Args:
            answers: a text, a message with tool calls, or a completion with its own usage and finish reason.
            vendor: who says it; None is whoever is asked first.
        """
        with self._lock:
            self._answers[vendor].extend(_completion(answer) for answer in answers)

    def call_tool(self, name: str, arguments: Json, *, vendor: str | None = None) -> None:
        """Answer the next question with the wish that a tool be called."""
        call = ToolCall(f"call_{next(self._numbers)}", name, arguments)
        self.say(Message("assistant", tool_calls=(call,)), vendor=vendor)

    def fail(self, vendor: str, fault: Fault, *, times: int | None = None, seconds: float | None = None) -> None:
        """Let a vendor fail: `times` times, for some `seconds` from now on, or until `recover`.

        Several faults strike one after the other.
        """
        until = None if seconds is None else time.monotonic() + seconds
        with self._lock:
            self._faults[vendor].append(_Planned(fault, times, until))

    def recover(self, vendor: str | None = None) -> None:
        """Let a vendor, or all of them, answer properly again."""
        with self._lock:
            for name in (vendor,) if vendor else self._faults:
                self._faults[name].clear()

    def start(self) -> None:
        """Listen; returns when clients can connect."""
        self._listener.start()

    def stop(self) -> None:
        """Drop every connection and listen no longer."""
        self._listener.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    async def _handle(self, request: HttpRequest, exchange: Exchange) -> None:
        vendor, _, rest = request.path.lstrip("/").partition("/")
        if vendor not in VENDORS:
            error = {"error": f"The path must begin with one of /{', /'.join(VENDORS)}."}
            await exchange.send(404, _JSON, json.dumps(error).encode())
            return
        body = _body(request)
        headers = {name: "present" if name in _SECRET else value for name, value in request.headers.items()}
        asked = Asked(vendor, f"/{rest}", body or {}, headers, request.abandoned)
        self.requests.append(asked)
        found = find(vendor, f"/{rest}", body or {})
        wire = found[0].wire if found else WIRES[vendor]
        answering = _Answering(wire, f"req_{next(self._numbers)}", asked, self._next_fault(vendor))
        if await answering.fails_before_it_begins(exchange):
            return
        if vendor in self.batches and (played := self.batches[vendor].serve(request.method, f"/{rest}", request.body)):
            await exchange.send(played[0], {**_JSON, **wire.headers(answering.request_id)}, played[1])
            return
        if body is None:
            await answering.refuse(exchange, 400, "The request's body is not a JSON object.")
        elif found is None:
            await answering.refuse(exchange, 404, f"There is no /{rest} here.")
        else:
            await self._serve(*found, answering, exchange)

    async def _serve(self, route: Route, body: Json, answering: "_Answering", exchange: Exchange) -> None:
        match route.serves:
            case "embeddings":
                await answering.send(exchange, openai_wire.embeddings(body))
            case "models":
                await answering.send(exchange, openai_wire.models())
            case "chat":
                await self._chat(route, body, answering, exchange)

    async def _chat(self, route: Route, body: Json, answering: "_Answering", exchange: Exchange) -> None:
        wire = route.wire
        if complaint := wire.complaint(body):
            await answering.refuse(exchange, 400, complaint)
            return
        answer = self._next_answer(route.vendor) or _completion(self._usual(wire, body))
        match answering.fault:
            case Fault(kind="empty"):
                answer = _completion("")
            case Fault(kind="refusal"):
                answer = Completion(Message("assistant"), "content_filter")
        if body.get("stream"):
            await answering.stream(exchange, wire.script(answer, body, answering.request_id))
        else:
            await answering.send(exchange, wire.whole(answer, body, answering.request_id))

    def _in_batch(self, wire: Wire, body: Json) -> Json:
        """What a vendor answers to one of a batch; nobody waits, so that no fault strikes."""
        return wire.whole(_completion(self._usual(wire, body)), body, f"req_{next(self._numbers)}")

    def _usual(self, wire: Wire, body: Json) -> str | Message | Completion:
        return self._reply(body) if self._reply else _echo(wire.question(body), body)

    def _next_answer(self, vendor: str) -> Completion | None:
        with self._lock:
            queue = self._answers[vendor] or self._answers[None]
            return queue.popleft() if queue else None

    def _next_fault(self, vendor: str) -> Fault | None:
        with self._lock:
            faults = self._faults[vendor]
            while faults and faults[0].is_over():
                faults.popleft()
            if not faults:
                return None
            planned = faults[0]
            if planned.times is not None:
                planned.times -= 1
            return planned.fault


@dataclass(slots=True)
class _Planned:
    """A fault that is to strike, and for how long: `times` more, and `until` a moment."""

    fault: Fault
    times: int | None
    until: float | None

    def is_over(self) -> bool:
        return self.times == 0 or (self.until is not None and time.monotonic() >= self.until)


@dataclass(frozen=True, slots=True)
class _Answering:
    """How one request is answered: in which words, and where the answer breaks off."""

    wire: Wire
    request_id: str
    asked: Asked
    fault: Fault | None

    async def fails_before_it_begins(self, exchange: Exchange) -> bool:
        """Whether the fault, if any, left nothing to answer."""
        match self.fault:
            case Fault(kind="hang"):
                self._strikes()
                await _forever()
            case Fault(kind="reset"):
                self._strikes()
                exchange.reset()
            case Fault(kind="status"):
                self._strikes()
                error = self.wire.error(self.fault, self.request_id)
                body = json.dumps(error) if self.fault.body is None else self.fault.body
                headers = {**_JSON, **self._headers(), **self.fault.headers}
                await exchange.send(self.fault.status_code, headers, body.encode())
            case Fault(kind="not_json"):
                self._strikes()
                await exchange.send(
                    200, {"content-type": "text/html", **self._headers()}, (self.fault.body or "").encode()
                )
            case _:
                return False
        return True

    async def refuse(self, exchange: Exchange, status: int, message: str) -> None:
        """A refusal that is not a fault: the request was wrong."""
        error = self.wire.error(Fault.status(status, message), self.request_id)
        await exchange.send(status, {**_JSON, **self._headers()}, json.dumps(error).encode())

    async def send(self, exchange: Exchange, answer: Json) -> None:
        """A whole answer, or half of it."""
        whole = json.dumps(answer).encode()
        headers = {**_JSON, **self._headers()}
        if self.fault and self.fault.kind != "drip":
            self._strikes()
        match self.fault:
            case Fault(kind="error_event"):
                await exchange.send(200, headers, json.dumps(self.wire.error(self.fault, self.request_id)).encode())
            case Fault(kind="garbage"):
                await exchange.send(200, headers, b"<<<" + whole)
            case Fault(kind="end"):
                await exchange.send(200, headers, whole[: len(whole) // 2])
            case Fault(kind="cut" | "stall" as kind):
                exchange.begin(200, {**headers, "content-length": str(len(whole))})
                await exchange.write(whole[: len(whole) // 2])
                exchange.drop() if kind == "cut" else await _forever()
            case Fault(kind="drip", seconds=seconds):
                exchange.begin(200, {**headers, "content-length": str(len(whole))})
                for start in range(0, len(whole), 16):
                    await asyncio.sleep(seconds)
                    await exchange.write(whole[start : start + 16])
                exchange.finished = True
            case _:
                await exchange.send(200, headers, whole)

    async def stream(self, exchange: Exchange, script: Script) -> None:
        """A streamed answer, as far as the fault lets it come."""
        exchange.begin(200, {**_STREAM, "content-type": script.content_type, **self._headers()})
        for event in script.opening:
            await exchange.chunk(event)
        for number, event in enumerate((*script.pieces, *script.ending)):
            if self.fault and await self._breaks_off(exchange, self.fault, number, len(script.pieces)):
                return
            await exchange.chunk(event)
        await exchange.end()

    async def _breaks_off(self, exchange: Exchange, fault: Fault, number: int, pieces: int) -> bool:
        """Whether the answer ends before its piece `number`."""
        if fault.kind == "drip":
            await asyncio.sleep(fault.seconds)
            return False
        if number != min(fault.after, pieces):
            return False
        if fault.kind == "cut":
            await asyncio.sleep(_HEARD)
        self._strikes()
        match fault.kind:
            case "stall":
                await _forever()
            case "cut":
                exchange.drop()
            case "end":
                await exchange.end()
            case "error_event":
                await exchange.chunk(self.wire.error_event(self.wire.error(fault, self.request_id)))
                await exchange.end()
            case "garbage":
                await exchange.chunk(b'event: garbage\ndata: {"choices": [{"del\n\n')
                return False
            case _:
                return False
        return True

    def _strikes(self) -> None:
        self.asked.struck_at = time.monotonic()

    def _headers(self) -> dict[str, str]:
        return self.wire.headers(self.request_id)


def _echo(question: str, body: Json) -> str:
    """What is said to a question by default; asked for a form, a JSON object that fits hardly any."""
    words = question.strip()[:80]
    form = body.get("response_format") or (body.get("text") or {}).get("format")
    return json.dumps({"you_said": words}) if form else f"You said: {words}"


def _completion(answer: str | Message | Completion) -> Completion:
    if isinstance(answer, Completion):
        return answer
    message = Message("assistant", answer) if isinstance(answer, str) else answer
    return Completion(message, "tool_calls" if message.tool_calls else "stop")


def _body(request: HttpRequest) -> Json | None:
    if not request.body:
        return {}
    try:
        body: Any = json.loads(request.body)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


async def _forever() -> None:
    await asyncio.Event().wait()
