"""This project: the whole of `Toolkit`, with sessions and the ledger on SQLite."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmarks.contestants.worker import KEY, Limits, Member, main
from toolkit import Toolkit
from toolkit.settings import Settings


class Ours:
    """Every question is a turn in a session: the session is read, a model asked, the ledger's row and the turn kept.

    Each has a session of its own, made beforehand, so that no question is longer than any other client's.
    """

    def __init__(self, tk: Toolkit, total: float, **asked: Any) -> None:
        self._tk = tk
        self._asked = {"timeout": total, **asked}
        self._sessions: list[str] = []

    async def prepare(self, calls: int) -> None:
        """See `Contestant`."""
        self._sessions += [(await self._tk.sessions.create()).id for _ in range(calls)]

    async def whole(self, question: str) -> str:
        """See `Contestant`."""
        reply = await self._tk.complete(question, session=self._sessions.pop(), **self._asked)
        return reply.text

    async def stream(self, question: str) -> AsyncIterator[str]:
        """See `Contestant`."""
        async for delta in self._tk.stream(question, session=self._sessions.pop(), **self._asked):
            if delta.restarted:
                yield "[restarted]"
            if delta.text:
                yield delta.text

    async def close(self) -> None:
        """See `Contestant`."""
        await self._tk.close()


async def connect(chain: Sequence[Member], limits: Limits, folder: str) -> Ours:
    """See `Connect`."""
    return Ours(await opened(chain, limits, folder, {}), limits["total"])


async def opened(chain: Sequence[Member], limits: Limits, folder: str, environ: Mapping[str, str]) -> Toolkit:
    """A toolkit with a table of `chain`."""
    url = f"sqlite:///{Path(mkdtemp(dir=folder)) / 'bench.db'}"
    tk = Toolkit.open(url, settings=Settings.from_env({"BENCH_KEY": KEY, **environ}, database_url=url))
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
    return tk


if __name__ == "__main__":
    main(connect)
