"""What was said in the sessions of these tests, and when."""

from datetime import UTC, datetime, timedelta

from toolkit.messages import Image, Message, ToolCall
from toolkit.sessions.session import Session
from toolkit.sessions.store import Sessions
from toolkit.stamps import freeze

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=61)

CALL = ToolCall("c1", "add", {"a": 1})
TURN = (
    Message("user", "one?", images=(Image("https://example.org/a.png"),)),
    Message("assistant", "", tool_calls=(CALL,)),
    Message("tool", "1", tool_call_id="c1"),
    Message("assistant", "one", ()),
)


async def begun(sessions: Sessions, *, ttl: int | None = None) -> Session:
    """A session of noon, with one turn."""
    with freeze(NOON):
        session = await sessions.create(ttl=ttl, user="ada", origin="app", title="T", context={"project": ["ä", 1]})
        return await sessions.append(session.id, TURN, call_id="q1")


def said(*texts: str) -> list[Message]:
    return [Message("user", text) for text in texts]
