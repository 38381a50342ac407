"""Whether the toolkit can work, and what of it cannot."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from toolkit import providers
from toolkit.db.migrate import default_folder, load
from toolkit.display.card import Card, State
from toolkit.display.shown import Shown, table_of
from toolkit.errors import DatabaseError
from toolkit.messages import Json
from toolkit.models.doors import KeyHealth
from toolkit.models.model import Model
from toolkit.models.reach import missing

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

SECONDS: Final = 2.0
"""What a check may take. Probes wait for a few seconds at most, and who works that slowly cannot answer anyway."""

LEAST_FREE: Final = 64 << 20
"""Bytes that must be free where a SQLite file lies.

What is written goes first into a file beside it, which holds 4 MB and, while somebody reads or a large document comes
in, some tens of them. With less, writes fail soon, and a turn that cannot be kept is not answered.
"""

_WORSE_NOT_WRONG: Final = frozenset({"ledger", "prompts", "cache", "tools"})
"""What is told when it fails, while answers go on."""

_Check: TypeAlias = Callable[[], Awaitable[Json]]
_opening: "WeakKeyDictionary[Toolkit, asyncio.Task[None]]" = WeakKeyDictionary()


class Health(Shown, dict[str, Any]):
    """What `Toolkit.health` gives; a notebook shows the checks as a table."""

    __slots__ = ()

    def _shown(self) -> Card:
        rows = [
            Card(name, {"state": _state(bool(check["ok"])), "what": check.get("message")}, kind="Check")
            for name, check in self["checks"].items()
        ]
        return Card(str(self["status"]), body=(table_of(rows, numbered=False),), kind="Health")


def _state(ok: bool) -> State:
    return State("well", good=True) if ok else State("not well", good=False)


async def health(tk: "Toolkit") -> Health:
    """What `Toolkit.health` gives; it takes twice `SECONDS` at most."""
    checks = {"database": await _timed(lambda: _database(tk))}
    also: dict[str, _Check] = {}
    if checks["database"]["ok"]:
        also = {"migrations": lambda: _migrations(tk), "models": lambda: _models(tk)}
        if tk.db.url.startswith("sqlite:///"):
            also["disk"] = lambda: _disk(Path(tk.db.url.removeprefix("sqlite:///")))
    if tk.redis:
        also["limits"] = lambda: _limits(tk)
    checks |= dict(zip(also, await asyncio.gather(*map(_timed, also.values())), strict=True))
    checks["ledger"] = _remembered(tk.usage.last_failure)
    checks["prompts"] = _remembered(tk.prompts.last_failure)
    checks["cache"] = _remembered(tk.cache.last_failure)
    checks["tools"] = _remembered(" ".join(tk.tools.problems) or None)
    ready = all(check["ok"] for name, check in checks.items() if name not in _WORSE_NOT_WRONG)
    return Health(status="ready" if ready else "unready", checks=checks)


async def _timed(check: _Check) -> Json:
    """What `check` finds, and how long it took; that it took too long is a finding, too."""
    begun = time.perf_counter()
    try:
        async with asyncio.timeout(SECONDS):
            found = await check()
    except DatabaseError as error:
        found = {"ok": False, "message": str(error)}
    except TimeoutError:
        found = {"ok": False, "message": f"It did not answer within {SECONDS:g} seconds."}
    return {"ok": found.pop("ok"), "milliseconds": round((time.perf_counter() - begun) * 1000, 1), **found}


async def _database(tk: "Toolkit") -> Json:
    # Opening may take longer than a probe waits, and goes on for the next one.
    opening = _opening.get(tk)
    if opening is None or opening.done():
        opening = _opening[tk] = asyncio.create_task(tk.start())
        opening.add_done_callback(lambda task: task.cancelled() or task.exception())
    await asyncio.shield(opening)
    await tk.db.fetch_one("SELECT 1 AS one")
    return {"ok": True}


async def _migrations(tk: "Toolkit") -> Json:
    found = await tk.db.migrations()
    known = _known(tk.db.dialect)
    if pending := [each.name for each in found if each.applied_at is None]:
        return _wrong(f"The database lacks {', '.join(pending)}; apply them with `toolkit migrate`.")
    if newest := max((each.version for each in found if each.version > known), default=0):
        return _wrong(
            f"The database is at version {newest}, and this toolkit knows only {known}: a newer one was started on it. "
            "Upgrade toolkit-mcp."
        )
    return {"ok": True, "version": known}


@cache
def _known(dialect: str) -> int:
    return max(migration.version for migration in load(default_folder(), dialect))


async def _models(tk: "Toolkit") -> Json:
    chain = await tk.models.chain()
    keys = tk.router.health()
    reasons = {model.name: _unable(model, keys, tk.settings.environ) for model in chain}
    able = [model for model in chain if not reasons[model.name]]
    resting = [key for key in keys if key.state != "closed"]
    check: Json = {"ok": bool(able), "chain": [each.name for each in chain], "resting": [_told(key) for key in resting]}
    if not chain:
        check["message"] = "No model is enabled; enable one with `toolkit models enable NAME`."
    elif not able:
        check["message"] = f"No model can answer: {'; '.join(f'{name} {why}' for name, why in reasons.items())}."
    elif all(providers.last_resort(model.provider) for model in able):
        others = "".join(f"; {name} {why}" for name, why in reasons.items() if why)
        check["message"] = f"Only {able[0].name} can answer, which knows your documents and nothing else{others}."
    elif resting:
        names = ", ".join(dict.fromkeys(key.model for key in resting))
        check["message"] = f"Left in peace for a while, because they failed: {names}."
    return check


def _unable(model: Model, keys: Sequence[KeyHealth], environ: Mapping[str, str]) -> str:
    """Why `model` cannot answer now; empty where nothing is known against it."""
    if lacking := missing(model, environ):
        return f"lacks {', '.join(lacking)}"
    own = [key for key in keys if key.model == model.name]
    return "rests, because it failed" if own and all(key.state == "open" for key in own) else ""


async def _disk(file: Path) -> Json:
    free = await asyncio.to_thread(lambda: shutil.disk_usage(file.parent).free)
    if free < LEAST_FREE:
        return _wrong(
            f"{free >> 20} MB are free where {file.name} lies, and {LEAST_FREE >> 20} MB are needed; make room there."
        ) | {"free_bytes": free}
    return {"ok": True, "free_bytes": free}


async def _limits(tk: "Toolkit") -> Json:
    """Without the Redis that counts, who is limited gets no answer."""
    await tk.limits.status()
    return {"ok": True}


def _remembered(failure: str | None) -> Json:
    """A check of what noted by itself why it failed the last time."""
    return {"ok": failure is None, "milliseconds": 0.0, **({"message": failure} if failure else {})}


def _wrong(message: str) -> dict[str, Any]:
    return {"ok": False, "message": message}


def _told(key: KeyHealth) -> Json:
    return {**asdict(key), "until": key.until and key.until.isoformat()}
