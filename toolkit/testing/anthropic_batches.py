"""Anthropic's message batches, as its server plays them."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable

from toolkit.messages import Json
from toolkit.testing.batch_plan import BatchPlan, Submitted

_BATCH = re.compile(r"/v1/messages/batches(?:/(?P<id>[^/]+)(?P<act>/cancel|/results)?)?")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_BEGUN = "2026-01-01T00:00:00Z"


class AnthropicBatches:
    """The batches of one account.

    Args:
        plan: how they turn out.
        answer: what is said to the body of a message.
        url: where the server is.
    """

    def __init__(self, plan: BatchPlan, answer: Callable[[Json], Json], url: Callable[[], str]) -> None:
        self._plan = plan
        self._answer = answer
        self._url = url
        self._numbers = itertools.count(1)
        self.batches: dict[str, Submitted] = {}

    def serve(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        """The status and the body of the answer; None if the path is none of theirs."""
        found = _BATCH.fullmatch(path)
        if found is None:
            return None
        if found["id"] is None:
            return self._create(json.loads(body))
        batch = self.batches.get(found["id"])
        if batch is None:
            return _error(404, "not_found_error", f"Batch {found['id']} was not found.")
        if found["act"] == "/results":
            lines = ({"custom_id": name, "result": result} for name, result in (batch.results or {}).items())
            return 200, "".join(f"{json.dumps(line)}\n" for line in lines).encode()
        if method == "POST":
            batch.cancelled = True
            self._plan.cancelled.append(batch.id)
        return 200, json.dumps(self._object(batch)).encode()

    def _create(self, asked: Json) -> tuple[int, bytes]:
        requests = {line["custom_id"]: line["params"] for line in asked["requests"]}
        if self._plan.rejected:
            return _error(400, "invalid_request_error", self._plan.rejected)
        if wrong := [name for name in requests if not _NAME.fullmatch(name)]:
            return _error(400, "invalid_request_error", f"requests: custom_id {wrong[0]!r} is no id")
        batch = Submitted(f"msgbatch_{next(self._numbers)}", requests)
        self.batches[batch.id] = batch
        return 200, json.dumps(self._object(batch, looked=False)).encode()

    def _object(self, batch: Submitted, *, looked: bool = True) -> Json:
        ended = looked and batch.look(self._plan, lambda name, body: self._result(batch, name, body))
        kinds = Counter(result["type"] for result in (batch.results or {}).values())
        names = ("succeeded", "errored", "canceled", "expired")
        counts = {**{name: kinds[name] for name in names}, "processing": 0 if ended else len(batch.requests)}
        times = {"created_at": _BEGUN, "expires_at": _BEGUN, "ended_at": _BEGUN if ended else None}
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "canceling" if batch.cancelled else "in_progress",
            "request_counts": counts,
            "results_url": f"{self._url()}/v1/messages/batches/{batch.id}/results" if ended else None,
            "cancel_initiated_at": _BEGUN if batch.cancelled else None,
            "archived_at": None,
            **times,
        }

    def _result(self, batch: Submitted, name: str, body: Json) -> Json:
        if batch.cancelled:
            return {"type": "canceled"}
        if name in self._plan.expired:
            return {"type": "expired"}
        if name in self._plan.refused:
            error = {"type": "invalid_request_error", "message": self._plan.refused[name]}
            return {"type": "errored", "error": {"type": "error", "error": error, "request_id": f"req_{name}"}}
        return {"type": "succeeded", "message": self._answer(body)}


def _error(status: int, kind: str, message: str) -> tuple[int, bytes]:
    return status, json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
