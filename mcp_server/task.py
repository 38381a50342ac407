"""One call that goes on while nobody waits for it, in the words of the extension `io.modelcontextprotocol/tasks`."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any, Final, Literal, TypeAlias, cast

from mcp import MCPError
from mcp.server.session import ServerSession
from mcp.shared.dispatcher import ProgressFnT
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    InputRequest,
    InputRequiredResult,
    InputResponse,
)
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from mcp_server.rounds import Calls
from mcp_server.sampling import Context
from toolkit.messages import Json
from toolkit.stamps import now

GRACE_SECONDS: Final = 0.2
"""What is done, or asks its host, within this time is answered directly: who asks after it would learn it later."""

KEPT_SECONDS: Final = 3600.0
"""How long a task that has ended, or waits for its host, is kept at least."""

READ_SECONDS: Final = 300.0
"""How long a task is kept once its end was told."""

Answer: TypeAlias = CallToolResult | InputRequiredResult
CallTool: TypeAlias = Callable[[Context, CallToolRequestParams], Awaitable[Answer]]
Status: TypeAlias = Literal["working", "input_required", "completed", "failed", "cancelled"]

_QUICKEST_MS, _SLOWEST_MS = 500, 5000  # between two questions: the longer a task takes, the less each of them matters
_response: TypeAdapter[InputResponse] = TypeAdapter(InputResponse, config=ConfigDict(defer_build=True))
_log = logging.getLogger(__name__)


class Task:
    """One call that goes on while nobody waits for it. It begins at once.

    Args:
        call: answers a call of a tool.
        ctx: of the request that began it.
        params: what is called.
        owner: who alone may see it; None is everyone who knows the id.

    Attributes:
        id: by which it is asked after.
        owner: as given.
        goes_on: it has outlived the request that began it; before, there is nothing to ask after.
    """

    def __init__(self, call: CallTool, ctx: Context, params: CallToolRequestParams, owner: str | None) -> None:
        self.id = secrets.token_urlsafe(24)  # whoever has it may read the result, so nobody must guess it
        self.owner = owner
        self.goes_on = False
        self._call = call
        self._params = params
        self._ctx = replace(ctx, session=cast(ServerSession, _Session(ctx.session, self._hear_progress)))
        self._status: Status = "working"
        self._message: str | None = None
        self._payload: Json = {}
        self._created = self._updated = now()
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._keep_until = self._began + KEPT_SECONDS
        self._keys = count(1)
        self._wanted: dict[str, tuple[str, InputRequest]] = {}
        self._brought: dict[str, InputResponse] = {}
        self._changed = asyncio.Event()
        self._job: asyncio.Future[Any] = asyncio.ensure_future(call(self._ctx, params))

    @property
    def has_ended(self) -> bool:
        """Whether nothing goes on any more."""
        return self._status in ("completed", "failed", "cancelled")

    @property
    def is_over(self) -> bool:
        """Whether its time has passed; that of one that works has not."""
        return self._status != "working" and self._clock() > self._keep_until

    async def soon(self) -> Answer | None:
        """The answer where it comes at once; None where the call goes on without the request that began it.

        Raises:
            MCPError: as the call does.
        """
        first: asyncio.Future[Answer] = self._job
        try:
            done, _ = await asyncio.wait([first], timeout=GRACE_SECONDS)
        except asyncio.CancelledError:
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            raise
        if done:
            return first.result()
        self._job = asyncio.ensure_future(self._go_on(first))
        self.goes_on = True
        return None

    def told(self) -> Json:
        """The task as each answer about it has it."""
        if self._status == "working":
            self._keep_until = self._clock() + KEPT_SECONDS
        age = round((self._clock() - self._began) * 1000)
        message = {"statusMessage": self._message} if self._message else {}
        return {
            "taskId": self.id,
            "status": self._status,
            **message,
            "createdAt": _stamp(self._created),
            "lastUpdatedAt": _stamp(self._updated),
            "ttlMs": round((self._keep_until - self._began) * 1000),
            "pollIntervalMs": min(max(age // 20, _QUICKEST_MS), _SLOWEST_MS),
        }

    def read(self) -> Json:
        """The same with what there is to know: the result, the error, or what is wanted."""
        if self.has_ended:
            self._keep_until = min(self._keep_until, self._clock() + READ_SECONDS)
        wanted = {key: _dumped(request) for key, (_, request) in self._wanted.items()}
        return {**self.told(), **self._payload, **({"inputRequests": wanted} if wanted else {})}

    def hear(self, responses: Json) -> None:
        """Take what was brought; what nobody waits for is passed over.

        Raises:
            MCPError: something is no answer to anything that can be asked.
        """
        for key, response in responses.items():
            if key not in self._wanted:
                continue
            try:
                brought = _response.validate_python(response, by_name=False)
            except ValidationError as error:
                message = f"What was brought for {key!r} answers no request; bring a result of the wanted method."
                raise MCPError(INVALID_PARAMS, message) from error
            name, _ = self._wanted.pop(key)
            self._brought[name] = brought
        self._changed.set()

    def end(self) -> "asyncio.Future[Any]":
        """Cancel it where it still goes on; gives what to wait for."""
        self._job.cancel()
        return self._job

    async def _go_on(self, round_: "asyncio.Future[Answer]") -> None:
        try:
            answer = await round_
            while isinstance(answer, InputRequiredResult):
                answer = await self._call(self._ctx, await self._bring(answer))
        except asyncio.CancelledError:
            self._become("cancelled", "The call was cancelled.")
        except MCPError as error:
            self._become("failed", error.message, error=_dumped(error.error))
        except Exception:  # noqa: BLE001 - whatever it is, the task must end and the server live on
            _log.exception("The task of %s failed unexpectedly.", self._params.name)
            message = f"{self._params.name} failed for a reason that is not yours; the server's log says why."
            self._become("failed", message, error={"code": INTERNAL_ERROR, "message": message})
        else:
            result = {key: value for key, value in _dumped(answer).items() if key != "resultType"}
            self._become("completed", None, result=result)

    async def _bring(self, asked: InputRequiredResult) -> CallToolRequestParams:
        """The call with which a host would come back that brings all that was asked for."""
        # A key means one request as long as the task lives, whatever the call names its requests.
        requests = asked.input_requests or {}
        self._wanted = {f"{next(self._keys)}-{name}": (name, request) for name, request in requests.items()}
        self._become("input_required", "Waits for the host.")
        try:
            while self._wanted:
                self._changed.clear()
                await self._changed.wait()
        except asyncio.CancelledError:
            self._wanted = {}
            if asked.request_state is not None:
                calls: Calls = self._ctx.lifespan_context
                calls.drop(asked.request_state)
            raise
        brought, self._brought = self._brought, {}
        self._become("working", None)
        return self._params.model_copy(update={"input_responses": brought, "request_state": asked.request_state})

    async def _hear_progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        share = f"{int(progress)} of {total:g}" if total else ""  # between two numbers of a tool stand fractions
        self._message = f"{message} ({share})" if message and share else message or share or None
        self._updated = now()

    def _become(self, status: Status, message: str | None, **payload: Any) -> None:
        self._status, self._message, self._payload = status, message, payload
        self._updated = now()
        self._keep_until = self._clock() + KEPT_SECONDS


class _Session:
    """The session of the request that began a task; what it hears of the progress becomes the task's message."""

    def __init__(self, session: ServerSession, progress: ProgressFnT) -> None:
        self._session = session
        self.report_progress = progress

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def _dumped(model: BaseModel) -> Json:
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
