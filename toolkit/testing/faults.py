"""The ways in which a vendor can fail to answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "status", "reset", "hang", "stall", "cut", "end", "error_event", "garbage", "not_json", "empty", "refusal", "drip"
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail; made by the methods below, e.g. `Fault.status(429, headers={"retry-after": "2"})`.

    A fault that strikes within an answer counts the pieces of its text (words) that it lets through: `after`. In an
    answer that is not streamed, such a fault strikes half-way through the body.
    """

    kind: Kind
    after: int = 0
    seconds: float = 0.0
    status_code: int = 200
    message: str = ""
    error_type: str | None = None
    error_code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None

    @classmethod
    def status(
        cls,
        status: int,
        message: str = "The vendor was told to fail.",
        *,
        error_type: str | None = None,
        error_code: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> "Fault":
        """Answer with an HTTP error.

        Args:
            status: 400 to 599.
            message: what the vendor's error object says.
            error_type: its `type`; by default the one that belongs to the status.
            error_code: its `code` (OpenAI) or `details.error_code` (Anthropic).
            headers: beside the usual ones, e.g. `retry-after`.
            body: sent instead of the vendor's error object.
        """
        return cls(
            "status",
            status_code=status,
            message=message,
            error_type=error_type,
            error_code=error_code,
            headers=headers or {},
            body=body,
        )

    @classmethod
    def reset(cls) -> "Fault":
        """Reset the connection instead of answering."""
        return cls("reset")

    @classmethod
    def hang(cls) -> "Fault":
        """Send nothing at all, and keep the connection open."""
        return cls("hang")

    @classmethod
    def stall(cls, after: int = 0) -> "Fault":
        """Fall silent within the answer, and keep the connection open; 0: before its first word."""
        return cls("stall", after=after)

    @classmethod
    def cut(cls, after: int = 0) -> "Fault":
        """Drop the connection within the answer."""
        return cls("cut", after=after)

    @classmethod
    def end(cls, after: int = 0) -> "Fault":
        """End the response properly, but within the answer and without its end mark."""
        return cls("end", after=after)

    @classmethod
    def error_event(
        cls, message: str = "The vendor was told to fail.", *, error_type: str | None = None, after: int = 0
    ) -> "Fault":
        """Send an error within an answer that began with status 200."""
        return cls("error_event", message=message, error_type=error_type, after=after)

    @classmethod
    def garbage(cls, after: int = 0) -> "Fault":
        """Send something that is not JSON where JSON belongs, then go on as if nothing had happened."""
        return cls("garbage", after=after)

    @classmethod
    def not_json(cls, body: str = "<html><body>Welcome to our proxy</body></html>") -> "Fault":
        """Answer with status 200 and a web page."""
        return cls("not_json", body=body)

    @classmethod
    def empty(cls) -> "Fault":
        """Answer properly, but say nothing."""
        return cls("empty")

    @classmethod
    def refusal(cls) -> "Fault":
        """Answer with status 200, no word, and the reason to stop that the vendor's policy has."""
        return cls("refusal")

    @classmethod
    def drip(cls, seconds: float) -> "Fault":
        """Answer properly, but wait `seconds` before each piece."""
        return cls("drip", seconds=seconds)


TOO_LONG: Mapping[str, Fault] = {
    "openai": Fault.status(
        400,
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130217 tokens. "
        "Please reduce the length of the messages.",
        error_code="context_length_exceeded",
    ),
    "anthropic": Fault.status(400, "prompt is too long: 208310 tokens > 200000 maximum"),
}
"""By vendor: what it says to messages that do not fit into its model's window."""
