"""One recorded call: what was asked of whom, and what came of it, as plain data."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, Self, TypeAlias, get_args

from toolkit.errors import choices
from toolkit.messages import Json
from toolkit.providers.cassette.form import Flow, FlowList

Kind: TypeAlias = Literal["chat", "stream", "embed", "tool"]
Left: TypeAlias = Literal["closed", "cancelled", "unfinished"]
"""There was no end: a stream was closed between two pieces; the wait for an answer was cancelled; a stream ended
without its end mark."""

_MODEL: Final = ("kind", "vendor", "model")
_TOOL: Final = ("kind", "server", "tool")


@dataclass(frozen=True, slots=True)
class Subject:
    """Who was asked, and in which way.

    Attributes:
        who: the vendor, or the tool's server.
        what: the model, or the tool.
    """

    kind: Kind
    who: str
    what: str

    def __str__(self) -> str:
        return f"{self.who}/{self.what} ({self.kind})"

    @property
    def is_list(self) -> bool:
        """Whether a server was asked for its tools: it may be asked at any moment, and mostly says the same."""
        return self.kind == "tool" and self.what == "tools/list"

    def to_json(self) -> Json:
        """Its names and values in the file."""
        names = _TOOL if self.kind == "tool" else _MODEL
        return dict(zip(names, (self.kind, self.who, self.what), strict=True))


@dataclass(frozen=True)
class Episode:
    """One call.

    Attributes:
        subject: who was asked.
        request: what was asked, without what must not stand in a file.
        answer: what was answered, of a stream also its pieces; of one that broke off those that came. None before.
        error: what it failed with.
        left: why nobody waited for its end.
        milliseconds: how long it took; of a stream three numbers: to the first piece, on to the last, on to the end.
        pause: seconds before it in which nobody was asked.
    """

    subject: Subject
    request: Json
    answer: Json | None = None
    error: Json | None = None
    left: Left | None = None
    milliseconds: tuple[int, ...] = ()
    pause: float = 0.0

    @cached_property
    def key(self) -> str:
        """The same for equal calls."""
        canonical = json.dumps([str(self.subject), self.request], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def lasting(self) -> Json:
        """What of it is the same when the same is recorded again."""
        return {
            "key": self.key,
            "answer": _without_request_id(self.answer),
            "error": _without_request_id(self.error),
            "left": self.left,
        }

    def to_json(self) -> Json:
        """The episode as it stands in a file."""
        out = self.subject.to_json()
        if self.pause:
            out["pause"] = self.pause
        out["request"] = self.request
        if self.answer is not None:
            out["answer"] = _laid_out(self.answer)
        if self.error is not None:
            out["error"] = _laid_out(self.error)
        if self.left is not None:
            out["left"] = self.left
        one = len(self.milliseconds) == 1
        out["milliseconds"] = self.milliseconds[0] if one else FlowList(self.milliseconds)
        return out

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """The episode that stands in a file.

        Raises:
            ValueError: it is none; the message says what is wrong with it.
        """
        if not isinstance(value, dict):
            raise ValueError("it must be a mapping")  # noqa: TRY004 - a wrong value, not a wrong argument
        kind: Any = value.get("kind")
        if kind not in get_args(Kind):
            raise ValueError(f"its kind is {kind!r}; {choices(get_args(Kind))}")
        missing = [name for name in (*(_TOOL if kind == "tool" else _MODEL), "request") if name not in value]
        if missing:
            raise ValueError(f"{missing[0]!r} is missing")
        _, who, what = _TOOL if kind == "tool" else _MODEL
        milliseconds = value.get("milliseconds", 0)
        return cls(
            Subject(kind, str(value[who]), str(value[what])),
            _mapping(value, "request") or {},
            answer=_mapping(value, "answer"),
            error=_mapping(value, "error"),
            left=value.get("left"),
            milliseconds=tuple(milliseconds) if isinstance(milliseconds, list) else (milliseconds,),
            pause=float(value.get("pause", 0.0)),
        )


def _mapping(value: Mapping[str, Any], name: str) -> Json | None:
    found = value.get(name)
    if found is not None and not isinstance(found, dict):
        raise ValueError(f"its {name} must be a mapping")
    return found


def _without_request_id(value: Json | None) -> Json | None:
    return None if value is None else {name: each for name, each in value.items() if name != "request_id"}


def _laid_out(value: Json) -> Json:
    """An answer or an error with what is short on one line."""
    out = dict(value)
    if "usage" in out:
        out["usage"] = Flow(out["usage"])
    if "pieces" in out:
        out["pieces"] = FlowList(out["pieces"])
    if "vectors" in out:
        out["vectors"] = [FlowList(each) if isinstance(each, list) else each for each in out["vectors"]]
    return out
