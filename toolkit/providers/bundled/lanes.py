"""Who may embed when: threads of their own for questions, for passages that somebody waits for, and for the rest.

A question is a few milliseconds of work that a search waits for, a thousand passages are half a minute. So a question
never stands in a queue behind passages: each kind has its lane, and the system's scheduler shares the processors among
them, giving the background lane what the others leave (on Linux; elsewhere the lanes are equal). Within a lane every
caller has as many texts under way as the lane has threads, so that a large order does not keep a small one waiting.
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

from toolkit.providers.bundled.encoder import DIMENSION, Floats, loaded

Lane: TypeAlias = Literal["question", "passages", "background"]
T = TypeVar("T")

_NICE: Final = 15
_THREADS: Final = min(2, os.cpu_count() or 1)


class Encoded(NamedTuple):
    """Unit vectors, float32 of shape (texts, `DIMENSION`), and how many tokens were read."""

    vectors: Floats
    tokens: int


async def encode(texts: Sequence[str], lane: Lane) -> Encoded:
    """One vector per text, in order. Cancelled, it begins no further text.

    Raises:
        ConfigError: the model cannot be run here.
    """
    found = np.empty((len(texts), DIMENSION), np.float32)
    waiting = iter(enumerate(texts))
    if len(texts) == 1:  # a question: no task is worth its while
        return Encoded(found, await _work(_executor(lane), waiting, found))
    workers = [asyncio.create_task(_work(_executor(lane), waiting, found)) for _ in range(min(_THREADS, len(texts)))]
    try:
        return Encoded(found, sum(await asyncio.gather(*workers)))
    finally:
        for worker in workers:
            worker.cancel()


async def _work(executor: ThreadPoolExecutor, waiting: Iterator[tuple[int, str]], found: Floats) -> int:
    """Put the vectors of those that wait into `found`, and count their tokens."""
    read = 0
    for place, text in waiting:
        found[place], tokens = await _on(executor, partial(_one, text))
        read += tokens
    return read


def _one(text: str) -> tuple[Floats, int]:
    encoder = loaded()
    tokens = encoder.tokens(text)
    return encoder.run(tokens), len(tokens)


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
