"""What was used in the last days, and what it cost, in a notebook."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from html import escape
from os import PathLike
from pathlib import Path
from time import perf_counter
from typing import IO, TYPE_CHECKING, Any, Final

from ipywidgets import HTML, HBox

from notebooks.usage.page import figures, table
from notebooks.widgets.controls import button, dropdown, line
from notebooks.widgets.live import LivePanel
from notebooks.widgets.panel import named
from toolkit.bridge import Lane
from toolkit.display.plots import Plot
from toolkit.display.sheet import sheet
from toolkit.errors import ConfigError, Conflict
from toolkit.stamps import now
from toolkit.usage.export import write_csv
from toolkit.usage.overview import NAMES, UsageReport

if TYPE_CHECKING:
    import pandas as pd

DAYS: Final = (1, 7, 30, 90)
"""Periods to choose from."""

_REST: Final = 9  # times as long as reading took


class UsagePanel(LivePanel):
    """Tiles, the cost of each day, and a table, of the last days; it is up to date by itself.

    Args:
        tk: a toolkit from `connect`, `connect_sync` or `Toolkit.open`.
        days: in how many last days in UTC, today included.
        by: what there is a row for: model, provider, user or origin.
        user: whose; None is everyone's.

    Attributes:
        report: what is shown; None until it was read.
    """

    def __init__(self, tk: Any, *, days: int = 7, by: str = "model", user: str | None = None) -> None:
        self._days, self._by, self._user = days, by, user
        self._took = 0.0
        self.report: UsageReport | None = None
        periods = [(_period(each), each) for each in sorted({*DAYS, days})]
        kinds = [(f"by {name.lower()}", kind) for kind, name in NAMES.items()]
        self._period = dropdown("Period", periods, lambda new: self._guard(self._choose, new, self._by), days)
        self._kind = dropdown("Add up by", kinds, lambda new: self._guard(self._choose, self._days, new), by)
        again = button("Refresh", lambda: self._guard(self._do, self._look_now))
        title = HTML('<div class="toolkit-title" role="heading" aria-level="2">Usage</div>')
        self._figures, self._drawn, self._table, self._said = HTML(), HTML(), HTML(), HTML()
        self._path = line("File for the CSV", "usage.csv", "usage.csv")
        save = button("Save as CSV", lambda: self._guard(self._save), tip="Save every call of these days as CSV")
        super().__init__(
            tk,
            "usage",
            named(HTML(f"<style>{sheet('plot')}</style>"), "sheet"),
            named(named(HBox([title, self._period, self._kind, again]), "bar"), "first"),
            self._figures,
            named(self._drawn, "plot"),
            self._table,
            named(HBox([self._said, self._path, save]), "bar"),
        )
        self._follow("generation.*", "usage.updated")

    def __repr__(self) -> str:
        """The same at every run: without figures and times."""
        return f"UsagePanel({self._days} day{'' if self._days == 1 else 's'})"

    @property
    def plot(self) -> Plot:
        """The cost of each day, as the value of a cell.

        Raises:
            Conflict: nothing was read yet.
        """
        return self._known().plot()

    def to_frame(self) -> "pd.DataFrame":
        """The table as one of pandas.

        Raises:
            Conflict: nothing was read yet.
            ConfigError: pandas is not installed.
        """
        return self._known().to_frame()

    def refresh(self, *, days: int | None = None, by: str | None = None) -> Any:
        """Look again, and give the report; awaited or plain, as the toolkit is.

        Args:
            days: show so many last days from now on; None leaves them as they are.
            by: add up by this from now on; None leaves it as it is.

        Raises:
            ConfigError: there are no such days, or nothing is added up by that.
        """

        async def looked() -> UsageReport:
            async with self._looking:  # else what cannot be shown would be looked at by itself, too
                before = self._days, self._by
                self._days, self._by = before[0] if days is None else days, by or before[1]
                try:
                    await self._show()
                except BaseException:
                    self._days, self._by = before
                    raise
            return self._known()

        with Lane(self._home) as lane:
            return self._given(lane, lane.call(looked))

    def export(self, path: str | PathLike[str]) -> Any:
        """Write every call of these days as CSV, and give the number of rows; awaited or plain, as the toolkit is.

        Args:
            path: the file; one that is there is written over.

        Raises:
            ConfigError: it cannot be written.
        """
        file = _opened(path)
        with Lane(self._home) as lane:
            return self._given(lane, lane.call(lambda: self._write(file)))

    async def _look(self) -> float | None:
        # By itself: the longer it takes to read the ledger, the more seldom, so that others can work with it.
        await asyncio.sleep(_REST * self._took)
        return await self._look_now()

    async def _look_now(self) -> float | None:
        return await super()._look()

    async def _show(self) -> float | None:
        begun = perf_counter()
        report = await self._tk.usage.overview(self._by, days=self._days, user=self._user)
        self._took = perf_counter() - begun
        self.report = report
        self._figures.value = figures(report)
        self._drawn.value = f'<div class="toolkit-drawn">{report.plot()}</div>'
        self._table.value = table(report)
        self._settle(report)
        midnight = datetime.combine(now().date() + timedelta(days=1), time(), UTC)
        return max(1.0, (midnight - now()).total_seconds())  # then the oldest day is out of it

    def _settle(self, report: UsageReport) -> None:
        """Have the lists say what is shown, whoever chose it."""
        days = len(report.days)
        if days not in (value for _, value in self._period.options):
            self._period.options = [(_period(each), each) for each in sorted({*DAYS, days})]
        self._period.value, self._kind.value = days, report.by

    def _choose(self, days: int, by: str) -> None:
        if (days, by) != (self._days, self._by):
            self._days, self._by = days, by
            self._do(self._look_now)

    def _save(self) -> None:
        path = self._path.value.strip() or "usage.csv"
        file = _opened(path)
        self._do(lambda: self._write(file), lambda rows: self._tell_saved(rows, path))

    def _tell_saved(self, rows: int, path: str) -> None:
        said = f"{rows:,} call{'' if rows == 1 else 's'} written to {path}"
        self._said.value = f'<div class="toolkit-said" role="status">{escape(said)}</div>'

    async def _write(self, file: IO[str]) -> int:
        with file:
            return await write_csv(self._tk.usage.export(days=self._days, user=self._user), file)

    def _known(self) -> UsageReport:
        if self.report is None:
            raise Conflict("The usage is not read yet; call `refresh` first.")
        return self.report


def _period(days: int) -> str:
    return "today" if days == 1 else f"last {days} days"


def _opened(path: str | PathLike[str]) -> IO[str]:
    try:
        return Path(path).open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None
