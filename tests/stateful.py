"""What a state machine over databases needs: a loop, a clock that stands still, and operations chosen evenly."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from toolkit import stamps
from toolkit.db import Database
from toolkit.errors import ToolkitError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., None])
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)

_OPERATIONS: dict[str, st.SearchStrategy[tuple[str, dict[str, Any]]]] = {}
which = st.integers(0, 1)
some = st.integers(0, 1000)


def operation(**values: st.SearchStrategy[Any]) -> Callable[[F], F]:
    """Let a method be chosen, with such values; each as often as any other, which rules of Hypothesis are not."""

    def register(method: F) -> F:
        _OPERATIONS[method.__name__] = st.tuples(st.just(method.__name__), st.fixed_dictionaries(values))
        return method

    return register


def one_of(there: Iterable[T], n: int, otherwise: T) -> T:
    """The `n`th of those that are there, round and round; sometimes something else."""
    known = list(there)
    return known[n % len(known)] if known and n % 7 else otherwise


class Machine(RuleBasedStateMachine):
    """Does one operation after another to the databases `dbs`, which are one, or two over the same file or schema."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.at, self.count = BEGUN, 0
        self.dbs: list[Database] = []

    @rule(step=st.deferred(lambda: st.one_of(*_OPERATIONS.values())))
    def do_one(self, step: tuple[str, dict[str, Any]]) -> None:
        name, values = step
        getattr(self, name)(**values)

    def teardown(self) -> None:
        for db in self.dbs:
            self.runner.run(db.close())
        self.runner.close()

    def do(self, n: int, work: Callable[[Database], Coroutine[Any, Any, T]], *, seconds: int = 1) -> T:
        """Run `work` on one of the databases, later than everything before, at a moment at which nothing expires."""
        self.at, self.count = self.following(seconds), self.count + 1
        with stamps.freeze(self.at):
            return self.runner.run(work(self.dbs[n % len(self.dbs)]), context=contextvars.copy_context())

    def look(self, n: int, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
        """Run `work`, which only reads, at the moment of the last operation."""
        with stamps.freeze(self.at):
            return self.runner.run(work(self.dbs[n % len(self.dbs)]), context=contextvars.copy_context())

    def following(self, seconds: int = 1) -> datetime:
        """The moment of the next operation; no two are a whole number of seconds apart."""
        whole = (self.at + timedelta(seconds=seconds)).replace(microsecond=0)
        return whole + timedelta(milliseconds=(self.count + 1) * 7 % 980)

    def refused(
        self, n: int, work: Callable[[Database], Coroutine[Any, Any, Any]], *kinds: type[Exception], seconds: int = 1
    ) -> None:
        """Run `work`, which must be refused in a sentence of one line."""
        with pytest.raises(kinds) as caught:
            self.do(n, work, seconds=seconds)
        assert isinstance(caught.value, ToolkitError)
        assert "\n" not in str(caught.value).rstrip()
        assert str(caught.value).endswith((".", "`", "?"))
