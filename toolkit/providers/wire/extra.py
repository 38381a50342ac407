"""What a request has beside the toolkit's own words (`ChatRequest.extra`), as one wire is told it."""

from collections.abc import Mapping
from typing import Any, Final

from toolkit.messages import Json

_MARK: Final = "@"
_OF_THINKERS: Final = frozenset({"reasoning", "reasoning_effort", "verbosity"})


def extra_for(wire: str, extra: Mapping[str, Any], *, thinks: bool = True) -> Json:
    """What goes into the body of a request on `wire`.

    A name that begins with `@` is a wire's, and what stands under it is told there alone: `{"@messages": {"top_k": 5}}`
    reaches Anthropic's models, and not those to whom the chain goes on and who would refuse it.

    Args:
        wire: `"chat"`, `"messages"` or `"responses"`.
        extra: of the request.
        thinks: the model thinks before it speaks; others refuse to be told how much.
    """
    everyones = {name: value for name, value in extra.items() if not name.startswith(_MARK)}
    own: Mapping[str, Any] = extra.get(_MARK + wire) or {}
    return {**everyones, **{name: value for name, value in own.items() if thinks or name not in _OF_THINKERS}}
