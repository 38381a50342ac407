"""The background embedder: makes the vectors that collections still lack, a little at a time, while others work.

Whatever it was doing when it is stopped, killed or cut off from the database, nothing is half-kept: the vectors of a
part are written in one list, and what a process has claimed for itself is free again for every other a little later.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from toolkit.errors import ConfigError, ToolkitError
from toolkit.search.embedding.embedder import Embedder
from toolkit.search.embedding.embedders import Embedders
from toolkit.search.embedding.passage import passage, text_hash
from toolkit.search.embedding.progress import Desk, Progress

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from toolkit.search.vectors import Quantised

CLAIMED_FOR: Final = 120.0
"""Seconds after which others may do what this process claimed and has not kept: it was killed, or it is too slow."""

AGAIN: Final = 15.0
"""Seconds after which it looks again for what others had claimed."""

_ROUNDS: Final = 16  # parts that others have claimed, before this process waits for them
_RELEASE_WITHIN: Final = 1.0  # seconds
_PROBE: Final = "The harbour opens at seven in the morning."

_log = logging.getLogger(__name__)


class Unembedded(Protocol):
    """Texts without a vector: their hashes, and a chunk that has each."""

    @property
    def hashes(self) -> "npt.NDArray[np.uint64]": ...  # noqa: D102 - see above
    @property
    def chunk_ids(self) -> Sequence[str]: ...  # noqa: D102 - see above


class Text(Protocol):
    """What a chunk says."""

    @property
    def id(self) -> str: ...  # noqa: D102 - see above
    @property
    def title(self) -> str: ...  # noqa: D102 - see above
    @property
    def heading(self) -> str: ...  # noqa: D102 - see above
    @property
    def text(self) -> str: ...  # noqa: D102 - see above


class State(Protocol):
    """What is known of a collection at a moment."""

    @property
    def embedder(self) -> str | None:
        """The embedder whose vectors are searched; None before there is any."""
        ...

    @property
    def next_embedder(self) -> str | None:
        """The one that it is changed to, None where it is not."""
        ...

    @property
    def pending(self) -> int:
        """Chunks that lack a vector of the next embedder, else of the present one."""
        ...

    def unembedded(self, n: int, skip: "npt.NDArray[np.uint64] | None" = None) -> Unembedded:
        """At most `n` of them, oldest first, without those to skip."""
        ...

    async def ready(self) -> "State":
        """The same with its vectors, which are read from the database a moment later than the words."""
        ...


class Work(Protocol):
    """What the worker asks of the index."""

    async def sync(self, keys: Sequence[str], /) -> Sequence[Any]:
        """The `State` of each collection that is there."""
        ...

    async def claim(
        self, key: str, embedder: str, hashes: "npt.NDArray[np.uint64]", *, seconds: float
    ) -> "npt.NDArray[np.uint64]":
        """Those of the hashes that nobody else works on, from now on for that long this process's."""
        ...

    async def release(self, key: str, embedder: str, hashes: "npt.NDArray[np.uint64]") -> None:
        """Give claims back."""
        ...

    async def keep_vectors(
        self, key: str, embedder: str, hashes: "npt.NDArray[np.uint64]", quantised: "Quantised"
    ) -> bool:
        """Keep vectors and give their claims back, all or nothing; False where the collection wants no such vectors."""
        ...

    async def texts(self, chunk_ids: Sequence[str], /) -> Sequence[Any]:
        """The `Text` of each chunk that is still there."""
        ...


class Worker:
    """Embeds what is pending in the collections that it is told of, one part after the other.

    Args:
        work: gives the index when it is first needed.
        embedders: finds the embedder of a collection.
        again: seconds after which it looks for what others had claimed.
    """

    def __init__(self, work: Callable[[], Work], embedders: Embedders, *, again: float = AGAIN) -> None:
        self._work = work
        self._embedders = embedders
        self._again = again
        self._desks: dict[str, Desk] = {}
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._paused = False
        self._awaited = 0
        self._going = asyncio.Event()
        self._going.set()
        self._moved = asyncio.Event()

    def touch(self, *keys: str) -> None:
        """Collections may have something pending: begin with them, or look again. Costs nothing; never waits."""
        for key in keys:
            self._desks.setdefault(key, Desk()).idle = False
        if self._desks and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._run(), name="toolkit embedding")
        self._woken.set()

    def pause(self) -> None:
        """Begin no further part until `resume`, but where somebody waits for it in `settled`."""
        self._paused = True
        self._go_or_stand()
        self._moved.set()

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        self._go_or_stand()

    @property
    def paused(self) -> bool:
        """Whether it was paused."""
        return self._paused

    def progress(self, key: str) -> Progress:
        """How far the collection is, as this process knows it."""
        return self._desks.get(key, Desk()).progress(paused=self.paused)

    async def settled(self, *keys: str) -> None:
        """Wait until nothing is pending in the collections that this process or another could still embed.

        Raises:
            ToolkitError: what keeps it from going on, while it does.
        """
        self.touch(*keys)
        desks = [self._desks[key] for key in keys]
        self._awaited += 1
        self._go_or_stand()
        try:
            while not all(desk.idle for desk in desks):
                self._moved.clear()
                for desk in desks:
                    if desk.error is not None:
                        raise desk.error
                await self._moved.wait()
        finally:
            self._awaited -= 1
            self._go_or_stand()

    async def close(self) -> None:
        """Stop at once; the part that is under way is given up, and free for others."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for desk in self._desks.values():
            desk.idle = True
        self._moved.set()

    def _go_or_stand(self) -> None:
        self._going.set() if self._awaited or not self._paused else self._going.clear()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            did = False
            for key, desk in list(self._desks.items()):
                await self._going.wait()
                if desk.may_work():
                    did = await self._tried(key, desk) or did
                    self._moved.set()
            if not did:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._patience()):
                        await self._woken.wait()

    def _patience(self) -> float | None:
        """Seconds until somebody's turn comes without being told; None where nobody waits."""
        waits = [desk.resting(self._again) for desk in self._desks.values() if not desk.idle]
        return min(waits, default=None)

    async def _tried(self, key: str, desk: Desk) -> bool:
        """Embed one part; True if there was one. What goes wrong is told, and tried again after a rest."""
        try:
            did = await self._part(key, desk)
            desk.went_well()
            return did
        except ToolkitError as error:
            if desk.failed(error):
                _log.warning("Embedding of %r must wait: %s", key, error)
        except Exception as error:  # noqa: BLE001 - a mistake in one collection must not end the others
            _log.exception("Embedding of %r failed in a way it should not.", key)
            desk.failed(ToolkitError(f"Embedding failed in a way it should not ({type(error).__name__})."))
        return False

    async def _part(self, key: str, desk: Desk) -> bool:
        work = self._work()
        states: Sequence[State] = await work.sync([key])
        state = await states[0].ready() if states else None
        if state is None or not state.pending:
            desk.finished()
            return False
        desk.pending = state.pending
        embedder = self._embedders.get(state.next_embedder or state.embedder)
        mine = await self._claimed(key, desk, state, embedder.name)
        if mine is None:
            desk.finished(left=state.pending)
            return False
        if not mine:
            return False
        with desk.timed():
            try:
                await self._embedded(key, desk, embedder, mine)
            except BaseException:
                await self._given_back(key, embedder.name, list(mine))
                raise
        return True

    async def _claimed(self, key: str, desk: Desk, state: State, embedder: str) -> dict[int, str] | None:
        """Texts that are this process's to embed, by their hashes, each with a chunk that has it.

        Returns:
            None where there are none left, an empty dict where others have claimed what there is.
        """
        skip = set(desk.skipped)
        for _ in range(_ROUNDS):
            found = state.unembedded(desk.size, _hashes(skip) if skip else None)
            if not len(found.hashes):
                return {} if len(skip) > len(desk.skipped) else None
            chunks = dict(zip(found.hashes.tolist(), found.chunk_ids, strict=True))
            mine = await self._work().claim(key, embedder, found.hashes, seconds=CLAIMED_FOR)
            if len(mine):
                return {number: chunks[number] for number in mine.tolist()}
            skip |= chunks.keys()
        return {}

    async def _embedded(self, key: str, desk: Desk, embedder: Embedder, mine: dict[int, str]) -> None:
        texts = {text.id: text for text in await self._work().texts(list(mine.values()))}
        passages: dict[int, str] = {}
        for number, chunk in mine.items():
            text = texts.get(chunk)
            read = passage(text.title, text.heading, text.text) if text else ""
            if text_hash(read) == number:
                passages[number] = read
            else:  # whoever changed it has said what is pending instead
                desk.skipped[number] = "It was changed or removed before it was embedded."
        kept, vectors = await _vectors(embedder, passages, desk)
        if kept:
            # numpy comes with it, and a program that embeds nothing need not wait for that.
            from toolkit.search.vectors import quantise  # noqa: PLC0415 - see above

            if await self._work().keep_vectors(key, embedder.name, _hashes(kept), quantise(vectors)):
                desk.kept(len(kept))
            else:
                await self._check_wanted(key, embedder, vectors.shape[1])
                kept = []
        await self._given_back(key, embedder.name, [number for number in mine if number not in set(kept)])

    async def _check_wanted(self, key: str, embedder: Embedder, dimension: int) -> None:
        """Raise ConfigError if vectors of this embedder are wanted, and still were not taken."""
        states: Sequence[State] = await self._work().sync([key])
        if states and (states[0].next_embedder or states[0].embedder) == embedder.name:
            raise ConfigError(
                f"The embedder {embedder.name!r} makes vectors of {dimension} dimensions, but has made others for this "
                "collection before; choose an embedder for it anew."
            )

    async def _given_back(self, key: str, embedder: str, hashes: Sequence[int]) -> None:
        """Free claims for others; where that fails they are free when their time is over."""
        if hashes:
            with suppress(ToolkitError, TimeoutError):
                async with asyncio.timeout(_RELEASE_WITHIN):
                    await self._work().release(key, embedder, _hashes(hashes))


async def _vectors(embedder: Embedder, passages: dict[int, str], desk: Desk) -> tuple[list[int], Any]:
    """The hashes whose texts have a vector, and the vectors. Texts that the embedder refuses are noted, and left out.

    Raises:
        ToolkitError: the embedder gives no vectors at the moment, of whatever text.
    """
    numbers = list(passages)
    if not numbers:
        return [], None
    try:
        return numbers, await embedder.embed([passages[number] for number in numbers], background=True)
    except ToolkitError:
        await embedder.embed([_PROBE], background=True)  # raises where it is not for the texts that it failed
    import numpy as np  # noqa: PLC0415 - the vectors that were just made brought it

    kept, vectors = [], []
    for number in numbers:
        try:
            vectors.append(await embedder.embed([passages[number]], background=True))
            kept.append(number)
        except ToolkitError as error:
            desk.skip(number, error)
    return kept, np.concatenate(vectors) if vectors else None


def _hashes(numbers: "Sequence[int] | set[int]") -> "npt.NDArray[np.uint64]":
    import numpy as np  # noqa: PLC0415 - as above

    return np.fromiter(numbers, np.uint64, len(numbers))
