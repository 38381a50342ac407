"""OpenAI's batches, as its server plays them: a file goes up, a batch is made of it, two files come down."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from toolkit.messages import Json
from toolkit.testing.batch_plan import BatchPlan, Submitted

_FILE = re.compile(r"/v1/files(?:/(?P<id>[^/]+)/content)?")
_BATCH = re.compile(r"/v1/batches(?:/(?P<id>[^/]+)(?P<cancel>/cancel)?)?")


class OpenAIBatches:
    """The files and batches of one account.

    Args:
        plan: how they turn out.
        answer: what is said to the body of a chat.
    """

    def __init__(self, plan: BatchPlan, answer: Callable[[Json], Json]) -> None:
        self._plan = plan
        self._answer = answer
        self._numbers = itertools.count(1)
        self._files: dict[str, bytes] = {}
        self.batches: dict[str, Submitted] = {}

    def serve(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        """The status and the body of the answer; None if the path is none of theirs."""
        if found := _FILE.fullmatch(path):
            return self._file(method, found["id"], body)
        if found := _BATCH.fullmatch(path):
            return self._batch(method, found["id"], body, cancel=bool(found["cancel"]))
        return None

    def _file(self, method: str, file_id: str | None, body: bytes) -> tuple[int, bytes]:
        if method == "GET":
            return (200, self._files[file_id]) if file_id in self._files else _error(404, "No such File object.")
        name = f"file-{next(self._numbers)}"
        self._files[name] = _uploaded(body)
        return _told({"id": name, "object": "file", "purpose": "batch", "bytes": len(self._files[name])})

    def _batch(self, method: str, batch_id: str | None, body: bytes, *, cancel: bool) -> tuple[int, bytes]:
        if batch_id is None:
            return self._create(json.loads(body))
        batch = self.batches.get(batch_id)
        if batch is None:
            return _error(404, f"No batch found with id '{batch_id}'.")
        if method == "POST" and cancel:
            batch.cancelled = True
            self._plan.cancelled.append(batch_id)
        return _told(self._state(batch))

    def _create(self, asked: Json) -> tuple[int, bytes]:
        if asked["endpoint"] != "/v1/chat/completions" or asked["completion_window"] != "24h":
            return _error(400, "Unknown endpoint or completion_window.")
        lines = [json.loads(line) for line in self._files[asked["input_file_id"]].splitlines()]
        if any(line["url"] != asked["endpoint"] or line["method"] != "POST" for line in lines):
            return _error(400, "The url of a line is not the endpoint of the batch.")
        batch = Submitted(f"batch_{next(self._numbers)}", {line["custom_id"]: line["body"] for line in lines})
        self.batches[batch.id] = batch
        return _told(self._object(batch, "validating"))

    def _state(self, batch: Submitted) -> Json:
        if self._plan.rejected:
            errors = {"object": "list", "data": [{"code": "invalid", "message": self._plan.rejected, "line": 1}]}
            return {**self._object(batch, "failed"), "errors": errors}
        if not batch.look(self._plan, lambda name, body: self._result(batch, name, body)):
            return self._object(batch, "in_progress")
        results = batch.results or {}
        good = {
            name: line
            for name, line in results.items()
            if line["response"] and line["response"]["status_code"] == HTTPStatus.OK
        }
        status = "cancelled" if batch.cancelled else "expired" if self._plan.expired & results.keys() else "completed"
        return {
            **self._object(batch, status),
            "output_file_id": self._keep(good.values()),
            "error_file_id": self._keep(line for name, line in results.items() if name not in good),
            "request_counts": {
                "total": len(batch.requests),
                "completed": len(good),
                "failed": len(results) - len(good),
            },
        }

    def _result(self, batch: Submitted, name: str, body: Json) -> Json:
        line: Json = {"id": f"batch_req_{name}", "custom_id": name, "response": None, "error": None}
        if batch.cancelled or name in self._plan.expired:
            why = "batch_cancelled" if batch.cancelled else "batch_expired"
            return {**line, "error": {"code": why, "message": "This request was not executed in time."}}
        if name in self._plan.refused:
            error = {"error": {"message": self._plan.refused[name], "type": "invalid_request_error", "code": None}}
            return {**line, "response": {"status_code": 400, "request_id": f"req_{name}", "body": error}}
        return {**line, "response": {"status_code": 200, "request_id": f"req_{name}", "body": self._answer(body)}}

    def _object(self, batch: Submitted, status: str) -> Json:
        counts = {"total": len(batch.requests), "completed": 0, "failed": 0}
        head = {"id": batch.id, "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "file-0"}
        return {**head, "completion_window": "24h", "created_at": 1, "status": status, "request_counts": counts}

    def _keep(self, lines: Any) -> str | None:
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        if not text:
            return None
        name = f"file-{next(self._numbers)}"
        self._files[name] = text.encode()
        return name


def _uploaded(body: bytes) -> bytes:
    """The file in a body of several parts."""
    boundary = body.split(b"\r\n", 1)[0]
    return next(_file_in(body.split(boundary)))


def _file_in(parts: list[bytes]) -> Iterator[bytes]:
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        if b"filename=" in head:
            yield content.removesuffix(b"\r\n")


def _told(value: Json) -> tuple[int, bytes]:
    return 200, json.dumps(value).encode()


def _error(status: int, message: str) -> tuple[int, bytes]:
    return status, json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": None}}).encode()
