"""This project: the whole of `Toolkit`, with sessions and the ledger on SQLite."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.contestants.worker import KEY, Limits, Member, main
from toolkit import Toolkit
from toolkit.settings import Settings


class Ours:
    """Every question is a turn in a session: the session is read, a model asked, the ledger's row and the turn kept.

    Each has a session of its own, made beforehand, so that no question is longer than any other client's.
    """

    def __init__(self, tk: Toolkit, total: float) -> None:
        self._tk = tk
        self._total = total
        self._sessions: list[str] = []

    async def prepare(self, calls: int) -> None:
        """See `Contestant`."""
        self._sessions += [(await self._tk.sessions.create()).id for _ in range(calls)]

    async def whole(self, question: str) -> str:
        """See `Contestant`."""
        reply = await self._tk.complete(question, session=self._sessions.pop(), timeout=self._total)
        return reply.text

    async def stream(self, question: str) -> AsyncIterator[str]:
        """See `Contestant`."""
        async for delta in self._tk.stream(question, session=self._sessions.pop(), timeout=self._total):
            if delta.restarted:
                yield "[restarted]"
            if delta.text:
                yield delta.text

    async def close(self) -> None:
        """See `Contestant`."""
        await self._tk.close()


async def connect(chain: Sequence[Member], limits: Limits, folder: str) -> Ours:
    """See `Connect`."""
    database = Path(mkdtemp(dir=folder)) / "bench.db"
    tk = Toolkit.open(
        f"sqlite:///{database}", settings=Settings.from_env({"BENCH_KEY": KEY}, database_url=f"sqlite:///{database}")
    )
    await tk.start()
    settings = {
        "on_refusal": "next",
        "timeout": limits["attempt"],
        "first_token_timeout": limits["first_token"],
        "silence_timeout": limits["silence"],
    }
    for priority, member in enumerate(chain):
        await tk.models.add(
            member["wire"],
            "bench",
            name=member["name"],
            priority=priority,
            auth={"api_key_env": "BENCH_KEY"},
            config={"base_url": member["url"], **settings},
        )
    return Ours(tk, limits["total"])


if __name__ == "__main__":
    main(connect)
