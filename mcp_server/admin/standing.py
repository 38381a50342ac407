"""How each model fares at this moment: what it lacks, whether it rests, and what it did lately."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING, Final

from toolkit import providers
from toolkit.errors import ToolkitError
from toolkit.models.doors import KeyHealth
from toolkit.models.model import Model
from toolkit.models.reach import missing
from toolkit.usage.records import UsageRow

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

DAYS: Final = 7
"""The days whose answers and cost are shown with a model."""
_LAST = 20  # answers whose durations are drawn


@dataclass(frozen=True, slots=True)
class Standing:
    """A model, and how it fares.

    Attributes:
        lacking: environment variables that it needs and that are not set.
        state: of its breaker as this process knows it: `ready`, `resting`, `trying` where one may try after a rest,
            or `partly` where some of its keys rest.
        until: when it may be asked again; None unless it rests.
        why: what failed, in words; empty while it is ready.
        last_resort: it speaks only where nobody else can.
        used: what it did in the last days; None where it was not asked.
        latencies: milliseconds of its last answers, oldest first.
        up: whom it would go ahead of, by id, to come one place further up; None for the first of its scope.
        down: the same one place further down; empty: behind all; None for the last of its scope.
    """

    model: Model
    lacking: tuple[str, ...]
    state: str
    until: datetime | None
    why: str
    last_resort: bool
    used: UsageRow | None = None
    latencies: tuple[float, ...] = ()
    up: str | None = None
    down: str | None = None

    @property
    def latency(self) -> float | None:
        """The median of its last answers, in milliseconds."""
        return median(self.latencies) if self.latencies else None

    @property
    def spark(self) -> str:
        """Its last answers as points of a line, 80 by 20; empty where there are too few."""
        most = max(self.latencies, default=0.0)
        if len(self.latencies) < 3 or not most:  # noqa: PLR2004 - two points are no course
            return ""
        step = 80 / (len(self.latencies) - 1)
        return " ".join(f"{i * step:.1f},{19 - 18 * each / most:.1f}" for i, each in enumerate(self.latencies))

    @property
    def kind(self) -> str:
        """What a person is told of it first: `disabled`, `unset`, `resting`, `trying`, `partly` or `ready`."""
        if not self.model.enabled:
            return "disabled"
        return "unset" if self.lacking else self.state


async def standings(tk: "Toolkit", models: Sequence[Model], listed: Sequence[Model]) -> list[Standing]:
    """How each of `models` fares, with figures of the last days.

    Args:
        tk: knows.
        models: whose.
        listed: all there are, in order: for the neighbours.
    """
    used = {row.key: row for row in await tk.usage.by("model", days=DAYS)}
    last = await asyncio.gather(*(tk.usage.latencies(model.name, limit=_LAST) for model in models))
    health = tk.router.health()
    return [
        standing(tk, model, health, used=used.get(model.name), latencies=latencies, listed=listed)
        for model, latencies in zip(models, last, strict=True)
    ]


def standing(
    tk: "Toolkit",
    model: Model,
    health: Iterable[KeyHealth],
    *,
    used: UsageRow | None = None,
    latencies: Sequence[float] = (),
    listed: Sequence[Model] = (),
) -> Standing:
    """How one model fares; the arguments as in `standings`, and the latencies newest first."""
    keys = [key for key in health if key.model == model.name]
    resting = [key for key in keys if key.state == "open" and key.until]
    trying = [key for key in keys if key.state == "half-open"]
    state = "ready"
    if len(resting) + len(trying) == len(keys) and keys:
        state = "trying" if trying else "resting"
    elif resting or trying:
        state = "partly"
    up, down = _neighbours(model, listed)
    return Standing(
        model=model,
        lacking=missing(model, tk.settings.environ),
        state=state,
        until=min((key.until for key in resting if key.until), default=None) if state == "resting" else None,
        why=next((key.message for key in (*resting, *trying) if key.message), ""),
        last_resort=providers.last_resort(model.provider),
        used=used,
        latencies=tuple(reversed(latencies)),
        up=up,
        down=down,
    )


async def chain(tk: "Toolkit", scope: str) -> tuple[list[Standing], str]:
    """Who is asked where nobody says whom, in order, and what stands in the way of asking anybody."""
    try:
        found = await tk.models.resolve(None, scope=scope)
    except ToolkitError as error:  # TOOLKIT_DEFAULT_MODEL names what is not there, or is disabled
        return [], str(error)
    health = tk.router.health()
    asked = [standing(tk, model, health) for model in found]
    return sorted(asked, key=lambda each: each.last_resort), ""


def _neighbours(model: Model, listed: Sequence[Model]) -> tuple[str | None, str | None]:
    ids = [each.id for each in listed if each.scope == model.scope]
    if model.id not in ids:
        return None, None
    place = ids.index(model.id)
    last = place == len(ids) - 1
    return (ids[place - 1] if place else None), (None if last else ids[place + 2] if place + 2 < len(ids) else "")
