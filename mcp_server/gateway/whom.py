"""Which models a request of the gateway may be put to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from toolkit.messages import Json

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit


async def whom(tk: "Toolkit", model: str | None, fallbacks: Sequence[str] | Literal["chain"] | None) -> Json:
    """The keywords of `Toolkit.complete` for it: the default of a server is its default model, then its chain.

    Args:
        tk: has the models.
        model: as the request names it; None or `"default"` is the server's default.
        fallbacks: who is asked after it; None: the request does not say.
    """
    if model not in (None, "default"):
        return {"model": model, "fallbacks": fallbacks or ()}
    if model is None or await tk.models.default() is None:
        return {"model": None, "fallbacks": fallbacks or ()}
    return {"model": "default", "fallbacks": "chain" if fallbacks is None else fallbacks}
