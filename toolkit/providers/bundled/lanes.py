"""Who may embed when: threads of their own for questions, for passages that somebody waits for, and for the rest.

A question is a few milliseconds of work that a search waits for, a batch of passages a fifth of a second. So a
question never stands in a queue behind passages: each kind has its lane, and the system's scheduler shares the
processors among them, giving the background lane what the others leave (on Linux; elsewhere the lanes are equal).
Within a lane every caller has as many batches under way as the lane has threads, so that a large order does not keep
a small one waiting.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np

from toolkit.providers.bundled.encoder import DIMENSION, Batch, Encoder, Floats, loaded

Lane: TypeAlias = Literal["question", "passages", "background"]
T = TypeVar("T")

AT_ONCE: Final = 512
"""Texts that are sorted and batched together; a longer list is given up between two such parts at the latest."""

_NICE: Final = 15
_THREADS: Final = min(2, os.cpu_count() or 1)


class Encoded(NamedTuple):
    """Unit vectors, float32 of shape (texts, `DIMENSION`), and how many tokens were read."""

    vectors: Floats
    tokens: int


async def encode(texts: Sequence[str], lane: Lane) -> Encoded:
    """One vector per text, in order. Cancelled, it begins no further batch.

    Raises:
        ConfigError: the model cannot be run here.
    """
    executor = _executor(lane)
    if len(texts) == 1:
        return await _on(executor, partial(_alone, texts))
    encoder = await _on(executor, loaded)
    found = np.empty((len(texts), DIMENSION), np.float32)
    tokens = 0
    for start in range(0, len(texts), AT_ONCE):
        some = texts[start : start + AT_ONCE]
        batches = await _on(executor, partial(encoder.batches, some))
        tokens += sum(batch.tokens for batch in batches)
        await _run(executor, encoder, batches, found[start : start + AT_ONCE])
    return Encoded(found, tokens)


def _alone(texts: Sequence[str]) -> Encoded:
    """One text, in one go: for a question each change of threads counts."""
    encoder = loaded()
    (batch,) = encoder.batches(texts)
    return Encoded(encoder.run(batch), batch.tokens)


async def _run(executor: ThreadPoolExecutor, encoder: Encoder, batches: Sequence[Batch], found: Floats) -> None:
    """Put the vectors of all batches into `found`."""
    waiting = iter(batches)
    workers = [
        asyncio.create_task(_work(executor, encoder, waiting, found)) for _ in range(min(_THREADS, len(batches)))
    ]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()


async def _work(executor: ThreadPoolExecutor, encoder: Encoder, waiting: Iterator[Batch], found: Floats) -> None:
    for batch in waiting:
        found[batch.places] = await _on(executor, partial(encoder.run, batch))


async def _on(executor: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(executor, work)


def _executor(lane: Lane) -> ThreadPoolExecutor:
    """The threads of a lane in this process; a forked one gets its own."""
    with _making:
        key = (os.getpid(), lane)
        if key not in _executors:
            _executors[key] = ThreadPoolExecutor(
                _THREADS,
                thread_name_prefix=f"toolkit-embedding-{lane}",
                initializer=_step_back if lane == "background" else None,
            )
        return _executors[key]


_making = threading.Lock()
_executors: dict[tuple[int, Lane], ThreadPoolExecutor] = {}


def _step_back() -> None:
    """Let every other thread of the machine go first; only Linux can do that for one thread alone."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
