"""The chain of models in a notebook: who is asked first, who is left out, and who answers."""

import asyncio
import getpass
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from html import escape
from typing import Any, Final

from ipywidgets import HTML, HBox, VBox

from notebooks.models.adding import Adding
from notebooks.models.history import SHOWN, History
from notebooks.models.row import Row
from notebooks.models.standing import Standing, standings
from notebooks.widgets.closing import discard
from notebooks.widgets.controls import button, dropdown
from notebooks.widgets.live import LivePanel
from notebooks.widgets.panel import named
from notebooks.widgets.question import Question
from toolkit import providers
from toolkit.display.frame import table
from toolkit.display.words import dollars
from toolkit.messages import Caller
from toolkit.models.model import Change, Model
from toolkit.models.outlook import Outlook
from toolkit.models.trial import QUESTION, Trial, try_out
from toolkit.stamps import now

ORIGIN: Final = "notebook"
MOST: Final = 50
"""Models in the panel; `tk.models.list()` has them all."""

AT_ONCE: Final = 8
"""Models that are tested together."""

_FOCUS_AFTER = 0.15  # seconds after which a browser has drawn a row at its new place
_TOKENS = (15, 5)  # of a test's question and of a usual answer
_COLUMNS = "".join(f"<span>{name}</span>" for name in ("Order", "Model", "On", "Default", "Health", "", ""))


class ModelsPanel(LivePanel):
    """The models of a scope, in the order in which they are asked, each with how it fares.

    What is changed here holds at once for every question, and what others change, in whatever process, is seen here.

    Args:
        tk: a toolkit from `connect`, `connect_sync` or `Toolkit.open`.
        scope: whose chain.
    """

    def __init__(self, tk: Any, *, scope: str = "global") -> None:
        self.scope = scope
        self._standings: list[Standing] = []
        self._rows: dict[str, Row] = {}
        self._together = asyncio.Semaphore(AT_ONCE)
        self._filling: int | None = None  # the thread that fills the list of scopes
        self._head, self._note, self._said = HTML(), HTML(), HTML()
        self._scopes = dropdown("Scope", [scope], self.guarded(self._choose_scope), scope)
        self._test_all = button("Test all", self.guarded(self._press_test_all))
        self._fold_history = button("History", self.guarded(self._press_history))
        self._open_form = button("Add a model", self.guarded(self._press_add), look="main")
        self._form, self._history, self._question = Adding(self), History(self), Question(self._guard)
        self._list = named(VBox(), "rows")
        bar = HBox([self._head, self._scopes, self._test_all, self._fold_history, self._open_form])
        columns = named(HTML(f'<div class="toolkit-columns" aria-hidden="true">{_COLUMNS}</div>'), "head-line")
        parts = (self._form, columns, self._list, self._question, self._note, self._said, self._history)
        super().__init__(tk, "models", named(named(bar, "bar"), "first"), *parts)
        self._follow("model.*", "generation.completed", "generation.failed")

    def __repr__(self) -> str:
        """The same at every run: without ids and times."""
        count = len(self._standings)
        return f"ModelsPanel({count} model{'' if count == 1 else 's'})"

    @property
    def environ(self) -> Mapping[str, str]:
        """Names to values, for what is told of the variables that a provider needs."""
        environ: Mapping[str, str] = self._tk.environ
        return environ

    def move(self, name: str, *, ahead_of: str | None = None) -> Any:
        """Have a model asked before another one, and give it as it is then; awaited or plain as the toolkit is.

        Args:
            name: its name or id.
            ahead_of: the name or id of the other; None: behind all of its scope.

        Raises:
            NotFound: one of the two is not there.
            ConfigError: they are not of one scope.
        """
        return self._asked(lambda: self._tk.models.move(name, ahead_of=ahead_of, by=person()))

    def test(self, name: str | None = None) -> Any:
        """Ask a model one short question, and give the `Trial`; awaited or plain as the toolkit is.

        Args:
            name: its name or id; None asks all that are shown, and gives their trials by name.

        Raises:
            NotFound: there is no such model.
        """

        async def one() -> Trial | None:
            return await self._try(await self._tk.models.get(name))

        return self._asked(self._try_all if name is None else one)

    def to_frame(self) -> Any:
        """What is shown, as a DataFrame of pandas.

        Raises:
            ConfigError: pandas is not installed.
        """
        return table(
            {
                "name": each.model.name,
                "provider": each.model.provider,
                "model": each.model.model,
                "priority": each.model.priority,
                "enabled": each.model.enabled,
                "default": each.model.is_default,
                "health": each.words,
                "milliseconds": each.latency,
            }
            for each in self._standings
        )

    def guarded(self, act: Callable[..., object]) -> Callable[..., None]:
        """`act` for a widget to call: what it raises is told in the panel."""
        return partial(self._guard, act)

    def step(self, row: Row, by: int) -> None:
        """Move a model one place up (-1) or down (1) among those that are shown."""
        ids = [each.model.id for each in self._standings]
        at = ids.index(row.standing.model.id)
        behind = ids[at - 1 :] if by < 0 else ids[at + 2 :]
        ahead_of = behind[0] if behind else None

        def moved(model: Model) -> None:
            self._say(f"{model.name} has priority {model.priority} now.")
            wanted, other = (row.up, row.down) if by < 0 else (row.down, row.up)
            self._home.call_later(_FOCUS_AFTER, (other if wanted.disabled else wanted).focus)

        self._pressed(lambda: self._tk.models.move(ids[at], ahead_of=ahead_of, by=person()), moved)

    def change(self, row: Row, **fields: bool) -> None:
        """Enable or disable a model, or make it the default of its scope or no longer."""
        self._pressed(lambda: self._tk.models.set(row.standing.model.id, **fields, by=person()), self._say_changed)

    def try_row(self, row: Row) -> None:
        """Test one model."""
        self._pressed(lambda: self._try(row.standing.model))

    def ask_to_remove(self, row: Row) -> None:
        """Ask whether a model is to be removed, and remove it then."""
        model = row.standing.model
        text = f"Remove {model.name}? It is asked no more, by nobody. Its history stays, and brings it back."
        remove = partial(self._tk.models.remove, model.id, by=person())
        act = partial(self._pressed, remove, lambda _: self._say(f"{model.name} is removed."))
        self._question.ask(text, f"Remove {model.name}", "Keep it", act, row.remove)

    def restore(self, change: Change) -> None:
        """Bring a model back to what it was after a change, or before it was removed."""
        back = partial(self._tk.models.restore, change.model_id, at=change.id, by=person())
        self._pressed(back, lambda model: self._say(f"{model.name} is as it was."))

    def add(self, provider: str, model: str, *, name: str | None, priority: int) -> None:
        """Add a model to the scope that is shown."""

        def added(model: Model) -> None:
            self._form.empty()
            self._form.unfold(seen=False)
            self._say(f"{model.name} is added. Test whether it answers.")

        add = partial(self._tk.models.add, provider, model, name=name, priority=priority)
        self._pressed(lambda: add(scope=self.scope, by=person()), added)

    async def _show(self) -> float | None:
        listed = await self._tk.models.list()
        mine = [model for model in listed if model.scope == self.scope]
        told = await standings(self._tk, mine[:MOST])
        changes = await self._tk.models.history(limit=SHOWN) if self._history.unfolded else ()
        price = await _price(mine[:MOST])
        self._standings = told
        self._show_scopes({self.scope, "global", *(model.scope for model in listed)})
        self._show_rows(told)
        self._head.value = '<div class="toolkit-title"><b>Models</b><span>asked from top to bottom</span></div>'
        self._note.value = f'<div class="toolkit-note">{escape(self._about(len(mine), price))}</div>'
        self._history.show(changes)
        ends = [(each.until - now()).total_seconds() for each in told if each.until]
        return max(0.0, min(ends)) if ends else None

    def _show_rows(self, told: list[Standing]) -> None:
        gone = self._rows.keys() - {each.model.id for each in told}
        places = _places(told)
        for number, each in enumerate(told):
            row = self._rows.get(each.model.id)
            if row is None:
                row = self._rows[each.model.id] = Row(self, each)
            row.show(each, place=places.get(each.model.id), first=number == 0, last=number == len(told) - 1)
        children = tuple(self._rows[each.model.id] for each in told)
        if children != self._list.children:  # a browser draws anew what is set, also where it is the same
            self._list.children = children
        for model in gone:
            discard(self._rows.pop(model))

    def _show_scopes(self, scopes: Iterable[str]) -> None:
        options = tuple(sorted(scopes))
        if options != self._scopes.options:
            self._filling = threading.get_ident()
            self._scopes.options = options  # which chooses the first
            self._scopes.value = self.scope
            self._filling = None
        self._scopes.layout.display = "" if len(options) > 1 else "none"

    def _about(self, count: int, price: str) -> str:
        if not count:
            return f"There is no model in the scope {self.scope!r}; add one."
        first = self._tk.settings.default_model
        told = [
            f"{first} is asked before all of them, as TOOLKIT_DEFAULT_MODEL says." if first else "",
            f"{count - MOST} more are not shown; tk.models.list() has them." if count > MOST else "",
            f"A test asks “{QUESTION}”, all of them {price}.",
        ]
        return " ".join(filter(None, told))

    async def _try(self, model: Model) -> Trial | None:
        row = self._rows.get(model.id)
        trial: Trial | None = None
        if row:
            row.begin_test()
        try:
            async with self._together:
                trial = await try_out(self._tk.router, model, self._tk.environ, caller=Caller(None, ORIGIN))
        finally:
            if row:
                row.end_test(trial)
        return trial

    async def _try_all(self) -> dict[str, Trial | None]:
        models = [each.model for each in self._standings]
        return dict(zip([m.name for m in models], await asyncio.gather(*map(self._try, models)), strict=True))

    def _press_test_all(self) -> None:
        def tested(trials: dict[str, Trial]) -> None:
            costs = [trial.cost_usd for trial in trials.values() if trial.ok]
            cost = sum(filter(None, costs)) if None not in costs else None
            answered = sum(trial.ok for trial in trials.values())
            self._say(f"{answered} of {len(trials)} answered; that took {dollars(cost)}.")

        self._pressed(self._try_all, tested)

    def _press_history(self) -> None:
        self._history.unfold(seen=not self._history.unfolded)
        self._pressed(_nothing)

    def _press_add(self) -> None:
        self._form.unfold(seen=not self._form.unfolded)

    def _choose_scope(self, scope: str) -> None:
        if self._filling != threading.get_ident():
            self.scope = scope
            self._pressed(_nothing)

    def _say_changed(self, model: Model) -> None:
        default = f", and is the default of the scope {model.scope}" if model.is_default else ""
        self._say(f"{model.name} is {'asked' if model.enabled else 'left out'}{default}.")

    def _say(self, sentence: str) -> None:
        self._said.value = f'<div class="toolkit-note" role="status">{escape(sentence)}</div>'


def person() -> str:
    """Who makes a change, for the history: the name of the login."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # an account without a name, as in some containers
        return ORIGIN


def _places(told: list[Standing]) -> dict[str, int]:
    """The place of each model in the chain, by id; whoever speaks only where nobody else can comes last."""
    asked = [each.model for each in told if each.model.enabled]
    asked.sort(key=lambda model: providers.last_resort(model.provider))
    return {model.id: place for place, model in enumerate(asked, 1)}


async def _price(models: list[Model]) -> str:
    """About what a test of all of them costs, in words."""
    costs = [(await Outlook.of([model])).price(*_TOKENS) for model in models]
    known = [cost for cost in costs if cost is not None]
    if not known:
        return "at a price that is unknown"
    more = len(costs) - len(known)
    besides = f", besides {more} whose price is unknown" if more else ""
    return f"for about {dollars(sum(known) / 1e9)} together{besides}"


async def _nothing() -> None:
    """What is shown changes, and nothing else."""
