"""Who may be asked a question at all, in which order."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Literal, TypeAlias

from toolkit import providers
from toolkit.errors import ConfigError, ContextTooLong, ToolkitError
from toolkit.messages import ChatRequest
from toolkit.models.catalog import Catalog
from toolkit.models.facts import can, facts_of
from toolkit.models.model import Model

Fallbacks: TypeAlias = Sequence[str] | Literal["chain"]

_SHORT: Final = 16_000
"""Characters that fit into every model's window, so that nobody need look it up."""
_CHARACTERS_PER_TOKEN: Final = 8
"""More than text of any language has on average: what is too long by this count is too long."""


class Candidates:
    """Finds the models that a question may be put to.

    Args:
        catalog: the models, and their order.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

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
        return (await self._catalog.resolve(model))[0]

    async def _all(
        self, model: str | Model | None, scope: str, fallbacks: Fallbacks
    ) -> tuple[Sequence[Model], set[str]]:
        """The models in question, each once, and the ids of those that somebody named."""
        found = [model] if isinstance(model, Model) else list(await self._catalog.resolve(model, scope=scope))
        named = set() if model is None else {each.id for each in found}
        if fallbacks == "chain":
            found += await self._catalog.chain(scope)
        else:
            for name in fallbacks:
                with suppress(ConfigError):  # a fallback that somebody disabled must not fail the call
                    fallback = await self._catalog.resolve(name, scope=scope)
                    named |= {each.id for each in fallback}
                    found += fallback
        return list({each.id: each for each in found}.values()), named


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
