"""What other services tell the toolkit, and what it does then."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toolkit.errors import ConfigError, choices
from toolkit.messages import Json

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

_INVALIDATE = ("model", "prompt", "pattern")


async def accept(tk: "Toolkit", kind: str, subject: str, body: Mapping[str, Any]) -> Json:
    """What `Toolkit.accept` does."""
    if not isinstance(body, Mapping):
        raise ConfigError(f"The body of the event {kind!r} must be a mapping of ids and figures.")
    match kind:
        case "cache.invalidate":
            return {"invalidated": await _invalidate(tk, body)}
        case "model.updated":
            # The table itself is read for every question; what its model answered before is another matter.
            await tk.events.publish(kind, subject, body)
            return {"invalidated": await tk.cache.invalidate(model=subject)}
        case "generation.requested":
            return {"id": (await tk.jobs.generate(dict(body))).id}
        case _:
            await tk.events.publish(kind, subject, body)
            return {}


async def _invalidate(tk: "Toolkit", body: Mapping[str, Any]) -> int:
    for name, value in body.items():
        if name not in _INVALIDATE or not isinstance(value, str):
            raise ConfigError(f"cache.invalidate cannot be done with {name!r}; {choices(_INVALIDATE)}, each a text.")
    return await tk.cache.invalidate(**body) if body else await tk.cache.clear()
