"""Whether the toolkit can work, and what of it cannot."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from toolkit.errors import DatabaseError
from toolkit.messages import Json
from toolkit.models.doors import KeyHealth

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

_WORSE_NOT_WRONG: Final = frozenset({"ledger", "prompts", "cache", "tools"})
"""What is told when it fails, while answers go on."""


async def health(tk: "Toolkit") -> Json:
    """What `Toolkit.health` gives."""
    checks = {"database": await _database(tk)}
    if checks["database"]["ok"]:
        checks["models"] = await _models(tk)
    if tk.redis:
        checks["limits"] = await _limits(tk)
    checks["ledger"] = _ledger(tk)
    checks["prompts"] = _remembered(tk.prompts.last_failure)
    checks["cache"] = _remembered(tk.cache.last_failure)
    checks["tools"] = _remembered(" ".join(tk.tools.problems) or None)
    ready = all(check["ok"] for name, check in checks.items() if name not in _WORSE_NOT_WRONG)
    return {"status": "ready" if ready else "unready", "checks": checks}


async def _database(tk: "Toolkit") -> Json:
    begun = time.perf_counter()
    try:
        await tk.start()
        await tk.db.fetch_one("SELECT 1 AS one")
    except DatabaseError as error:
        return {"ok": False, "milliseconds": _since(begun), "message": str(error)}
    return {"ok": True, "milliseconds": _since(begun)}


async def _models(tk: "Toolkit") -> Json:
    begun = time.perf_counter()
    chain = [model.name for model in await tk.models.chain()]
    resting = [_told(key) for key in tk.router.health() if key.state != "closed"]
    check: Json = {"ok": bool(chain), "milliseconds": _since(begun), "chain": chain, "resting": resting}
    if not chain:
        check["message"] = "No model is enabled; enable one with `toolkit models enable NAME`."
    elif resting:
        names = ", ".join(dict.fromkeys(key["model"] for key in resting))
        check["message"] = f"Left in peace for a while, because they failed: {names}."
    return check


async def _limits(tk: "Toolkit") -> Json:
    """Without the Redis that counts, who is limited gets no answer."""
    begun = time.perf_counter()
    try:
        await tk.limits.status()
    except DatabaseError as error:
        return {"ok": False, "milliseconds": _since(begun), "message": str(error)}
    return {"ok": True, "milliseconds": _since(begun)}


def _ledger(tk: "Toolkit") -> Json:
    return _remembered(tk.usage.last_failure)


def _remembered(failure: str | None) -> Json:
    """A check of what noted by itself why it failed the last time."""
    check: Json = {"ok": failure is None, "milliseconds": 0.0}
    if failure:
        check["message"] = failure
    return check


def _told(key: KeyHealth) -> Json:
    return {**asdict(key), "until": key.until and key.until.isoformat()}


def _since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 1)
