"""Who may be asked a question at all, in which order."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any, Final, Literal, TypeAlias

from toolkit import providers
from toolkit.errors import ConfigError, ContextTooLong, ToolkitError
from toolkit.messages import ChatRequest
from toolkit.models.catalog import Catalog
from toolkit.models.facts import can, facts_of
from toolkit.models.model import Model

KEPT_SECONDS: Final = 0.5
"""How long what the table says is remembered: another process's change is seen that much later at most."""
_MOST_KNOWN: Final = 1_000  # names that were asked for

Fallbacks: TypeAlias = Sequence[str] | Literal["chain"]

_SHORT: Final = 16_000
"""Characters that fit into every model's window, so that nobody need look it up."""
_CHARACTERS_PER_TOKEN: Final = 8
"""More than text of any language has on average: what is too long by this count is too long."""


class Candidates:
    """Finds the models that a question may be put to.

    What the table says is remembered for half a second, so that it is not read with every question; a change that this
    process makes is seen at once.

    Args:
        catalog: the models, and their order.
        clock: seconds from any fixed point; a test passes its own.
    """

    def __init__(self, catalog: Catalog, clock: Callable[[], float] = monotonic) -> None:
        self._catalog = catalog
        self._clock = clock
        self._known: dict[tuple[str | None, str], tuple[float, Sequence[Model]]] = {}
        self._edition = catalog.edition

    async def find(
        self,
        request: ChatRequest,
        model: str | Model | None,
        scope: str,
        fallbacks: Fallbacks,
        requirements: Mapping[str, Any] | None,
    ) -> Sequence[Model]:
        """Who may be asked `request`, in order, each once; the arguments are those of `Router.complete`.

        A last resort that nobody named is left out where it can be of no use, and so is a model that is known not to
        take what the request has, as long as there is another one.

        Raises:
            NotFound: there is no such model.
            ConfigError: the model is disabled, there is none to ask, or none that satisfies the requirements.
        """
        found, named = await self._all(model, scope, fallbacks)
        if requirements:
            found = await self._catalog.fitting(found, requirements)
            if not found:
                needed = ", ".join(f"{name}={value!r}" for name, value in requirements.items())
                raise ConfigError(
                    f"No model that may be asked satisfies {needed}; `toolkit models select` shows which do."
                )
        if not request.sources:
            found = _some(found, lambda each: each.id in named or not providers.last_resort(each.provider))
        images, tools = any(message.images for message in request.messages), bool(request.tools)
        found = _some(found, lambda each: can(each, images=images, tools=tools))
        if (length := _length(request)) > _SHORT:
            # In a thread, because the price list, which has the windows, may have to be loaded first.
            windows = await asyncio.to_thread(lambda: {each.id: _window(each) for each in found})
            found = _some(found, lambda each: length <= windows[each.id] * _CHARACTERS_PER_TOKEN)
        if not found:
            raise ConfigError(
                "No model is enabled; set OPENAI_API_KEY or ANTHROPIC_API_KEY, "
                "or add one with `toolkit models add PROVIDER MODEL`."
            )
        return found

    async def named(self, model: str) -> Model:
        """The one model that `model=` means.

        Raises:
            NotFound: there is no such model.
            ConfigError: it is disabled.
        """
        return (await self._resolved(model, "global"))[0]

    async def _all(
        self, model: str | Model | None, scope: str, fallbacks: Fallbacks
    ) -> tuple[Sequence[Model], set[str]]:
        """The models in question, each once, and the ids of those that somebody named."""
        found = [model] if isinstance(model, Model) else list(await self._resolved(model, scope))
        named = set() if model is None else {each.id for each in found}
        if fallbacks == "chain":
            found += await self._remembered(("", scope), lambda: self._catalog.chain(scope))
        else:
            for name in fallbacks:
                with suppress(ConfigError):  # a fallback that somebody disabled must not fail the call
                    fallback = await self._resolved(name, scope)
                    named |= {each.id for each in fallback}
                    found += fallback
        return list({each.id: each for each in found}.values()), named

    async def _resolved(self, model: str | None, scope: str) -> Sequence[Model]:
        return await self._remembered((model, scope), lambda: self._catalog.resolve(model, scope=scope))

    async def _remembered(
        self, key: tuple[str | None, str], read: Callable[[], Awaitable[Sequence[Model]]]
    ) -> Sequence[Model]:
        if self._edition != self._catalog.edition or len(self._known) > _MOST_KNOWN:
            self._edition = self._catalog.edition
            self._known.clear()
        at, found = self._known.get(key, (-inf, ()))
        now, edition = self._clock(), self._edition
        if now - at >= KEPT_SECONDS:
            found = await read()
            if edition == self._catalog.edition:  # what was read before a change is not kept beyond it
                self._known[key] = (now, found)
        return found


def too_small_for(error: ToolkitError | None, model: Model) -> Callable[[Model], bool]:
    """Whether another model's window is too small for what did not fit into that of `model`, if `error` says so."""
    window = facts_of(model).context_window if isinstance(error, ContextTooLong) else None
    return lambda other: window is not None and _window(other) <= window


def _some(models: Sequence[Model], fit: Callable[[Model], bool]) -> Sequence[Model]:
    """Those that `fit`; all of them if none does, because one of them must be asked."""
    return [model for model in models if fit(model)] or models


def _length(request: ChatRequest) -> int:
    return sum(len(message.text) for message in request.messages)


def _window(model: Model) -> float:
    """Tokens; without bound where it is unknown."""
    return facts_of(model).context_window or float("inf")
