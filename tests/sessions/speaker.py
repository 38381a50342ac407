"""A process that takes turns in a session: `python -m tests.sessions.speaker URL SESSION NAME TURNS LEASE`.

With `0` turns it takes one, says so, and never ends it.
"""

import asyncio
import sys

from toolkit.db import open_database
from toolkit.messages import Message
from toolkit.sessions.store import Sessions
from toolkit.settings import Settings
from toolkit.stamps import fresh_id


async def main(url: str, session: str, name: str, turns: int, lease: float) -> None:
    """Ask and answer, each turn with the number of messages that it had heard before."""
    db = open_database(Settings(url))
    sessions = Sessions(db)
    for turn in range(max(1, turns)):
        turn_id = fresh_id()
        while (begun := await sessions.begin_turn(session, turn_id=turn_id, seconds=lease)) is None:  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.002)
        heard = len(begun[1])
        if not turns:
            print("taken", flush=True)  # noqa: T201 - it is read by the test
            await asyncio.sleep(60)
        await asyncio.sleep(0)
        said = [Message("user", f"{name} {turn} after {heard}"), Message("assistant", f"to {name} {turn}")]
        await sessions.append(session, said, turn_id=turn_id)
    await db.close()


if __name__ == "__main__":
    url_, session_, name_, turns_, lease_ = sys.argv[1:]
    asyncio.run(main(url_, session_, name_, int(turns_), float(lease_)))
