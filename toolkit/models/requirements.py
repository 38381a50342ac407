"""Which models fit what somebody needs, and in which order they are wanted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Literal, TypeAlias, get_args

from toolkit import providers
from toolkit.errors import ConfigError, choices
from toolkit.models.facts import Facts, facts_of
from toolkit.models.model import Model

Preference: TypeAlias = Literal["priority", "cheapest", "largest_context", "fastest"]

_PREFERENCES: Final[tuple[str, ...]] = get_args(Preference)
_ORDERS: Final = _PREFERENCES[1:]
_INPUT_PARTS, _PARTS = 3, 4
_Reader: TypeAlias = tuple[Callable[[Any], bool], str]


def select(
    models: Sequence[Model], requirements: Mapping[str, Any], *, latency: Mapping[str, float] | None = None
) -> list[Model]:
    """Those of `models` that fit, in the order that is asked for.

    What is not known of a model does not fit a requirement: say it in the row's config, e.g. `vision = true`.

    Args:
        models: in the order in which they are tried, which decides between equals.
        requirements: any of

            - `vision`, `tools`, `structured`: True for a model that takes pictures, calls tools, or whose vendor itself
              sees to the form of an answer; False asks for nothing.
            - `context_window`: tokens that it must be able to read, at least.
            - `max_cost`: US dollars per million tokens at most, as `blended_cost` counts them.
            - `provider`, `scope`: only rows of these.
            - `prefer`: `"priority"` (the order of `models`), `"cheapest"`, `"largest_context"` or `"fastest"`. Of whom
              the figure is unknown comes after all others, and a last resort such as `offline` after those.
              `{"cheapest": True}` is short for `{"prefer": "cheapest"}`.

            A requirement that is None is not made.
        latency: median milliseconds of an answer, by the models' names.

    Raises:
        ConfigError: a requirement that there is not, or that cannot be used as written.
    """
    return Wanted.read(requirements).of(models, latency=latency or {})


def blended_cost(facts: Facts) -> float | None:
    """US dollars per million tokens, three read for one written, as in a common chat; None where it is unknown."""
    into, out = facts.input_usd_per_million, facts.output_usd_per_million
    if into is None or out is None:
        return None
    return (into * _INPUT_PARTS + out * (_PARTS - _INPUT_PARTS)) / _PARTS


@dataclass(frozen=True, slots=True)
class Wanted:
    """Requirements that make sense; `select` says what each one means."""

    vision: bool = False
    tools: bool = False
    structured: bool = False
    context_window: int | None = None
    max_cost: float | None = None
    provider: str | None = None
    scope: str | None = None
    prefer: Preference = "priority"

    @classmethod
    def read(cls, requirements: Mapping[str, Any]) -> "Wanted":
        """The same from what somebody wrote.

        Raises:
            ConfigError: the sentence names the requirement, and what there is instead.
        """
        given = {name: value for name, value in requirements.items() if value is not None}
        for name, value in given.items():
            if name not in _READERS:
                raise ConfigError(f"There is no requirement {name!r}{_meant(name)}; {choices(_READERS)}.")
            fits, words = _READERS[name]
            if not fits(value):
                raise ConfigError(f"The requirement {name!r} must be {words}.")
        orders = [name for name in _ORDERS if given.pop(name, False)]
        wished = list(dict.fromkeys([*orders, *([given["prefer"]] if "prefer" in given else [])]))
        if len(wished) > 1:
            raise ConfigError(f"Models can be in one order only, not in those of {' and '.join(map(repr, wished))}.")
        return cls(**{**given, "prefer": wished[0]} if wished else given)

    def of(self, models: Sequence[Model], *, latency: Mapping[str, float]) -> list[Model]:
        """Those of `models` that fit, in the order that is asked for; it may load the price list."""
        known = [(model, facts_of(model)) for model in models if self._is_of(model)]
        fitting = [(model, facts) for model, facts in known if self._fits(facts)]
        return [model for model, facts in sorted(fitting, key=lambda each: self._place(each[0], each[1], latency))]

    def _is_of(self, model: Model) -> bool:
        return self.provider in (None, model.provider) and self.scope in (None, model.scope)

    def _fits(self, facts: Facts) -> bool:
        if any(getattr(self, name) and not getattr(facts, name) for name in ("vision", "tools", "structured")):
            return False
        if self.context_window is not None and (facts.context_window or 0) < self.context_window:
            return False
        if self.max_cost is None:
            return True
        cost = blended_cost(facts)
        return cost is not None and cost <= self.max_cost

    def _place(self, model: Model, facts: Facts, latency: Mapping[str, float]) -> tuple[bool, bool, float]:
        """Sorts models: a last resort after the others, then those whose figure is unknown, then by the figure."""
        figure: float | None = 0.0
        match self.prefer:
            case "cheapest":
                figure = blended_cost(facts)
            case "largest_context":
                figure = None if facts.context_window is None else -facts.context_window
            case "fastest":
                figure = latency.get(model.name)
        unknown = figure is None
        return providers.last_resort(model.provider), unknown, 0.0 if figure is None else figure


def _meant(name: str) -> str:
    near = get_close_matches(str(name), _READERS, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_FLAG: Final[_Reader] = (_is_bool, "True or False")
_TEXT: Final[_Reader] = (lambda value: isinstance(value, str) and bool(value), "a name")
_READERS: Final[Mapping[str, _Reader]] = {
    **dict.fromkeys(("vision", "tools", "structured"), _FLAG),
    "context_window": (
        lambda value: isinstance(value, int) and _is_number(value) and value > 0,
        "a whole number of tokens above 0",
    ),
    "max_cost": (
        lambda value: _is_number(value) and value >= 0,
        "a price in US dollars per million tokens, 0 or more",
    ),
    **dict.fromkeys(("provider", "scope"), _TEXT),
    "prefer": (
        lambda value: isinstance(value, str) and value in _PREFERENCES,
        f"one of {', '.join(map(repr, _PREFERENCES))}",
    ),
    **dict.fromkeys(_ORDERS, _FLAG),
}
