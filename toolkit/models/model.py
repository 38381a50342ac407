"""A row of the table `models`: which vendor's model may answer, how it is reached, and what it is asked with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from toolkit import providers
from toolkit.display.card import Card, Cell, Code, State
from toolkit.display.shown import Shown, cell
from toolkit.messages import ChatRequest, Json
from toolkit.providers.base import Structured
from toolkit.redaction import redact

_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True, repr=False)
class Model(Shown):
    """A model that may answer.

    Attributes:
        id: never changes; `provider/model` for one without a row.
        name: what people and `model=` call it.
        provider: the vendor: a file of `toolkit/providers`.
        model: the vendor's own name of the model.
        scope: whose chain it belongs to; `global` is everyone's.
        priority: lower is tried first.
        enabled: whether it may be asked at all.
        is_default: whether it is the one of its scope that `model="default"` means.
        auth: names of environment variables under names ending in `_env`, e.g. `{"api_key_env": "OPENAI_API_KEY"}`.
        config: `base_url` and other settings of the vendor's; `temperature`, `max_tokens` and `extra` for requests
            that say nothing of their own; the limits of an attempt that are attributes here; `on_refusal: "next"` to
            ask the next model what this one's policy refused; `structured`, how it is made to answer in a schema; and
            what is not publicly known of it: prices, `context_window` and the other names of `Facts`.
        created_at: when the row was added.
        updated_at: when it was last changed.
    """

    id: str
    name: str
    provider: str
    model: str
    scope: str = "global"
    priority: int = 100
    enabled: bool = True
    is_default: bool = False
    auth: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime = _NEVER
    updated_at: datetime = _NEVER

    @classmethod
    def unlisted(cls, provider: str, model: str) -> "Model":
        """A model without a row, reached as the vendor's own variables say."""
        name = f"{provider}/{model}"
        return cls(id=name, name=name, provider=provider, model=model)

    @property
    def is_listed(self) -> bool:
        """Whether it has a row."""
        return self.created_at != _NEVER

    @property
    def timeout(self) -> float | None:
        """The most seconds that one attempt, or one wait within a stream, may take; None where the row does not say."""
        return self.config.get("timeout")

    @property
    def first_token_timeout(self) -> float | None:
        """The most seconds until the first piece of a stream, None where the row does not say."""
        return self.config.get("first_token_timeout")

    @property
    def silence_timeout(self) -> float | None:
        """The most seconds between two pieces of a stream, None where the row does not say."""
        return self.config.get("silence_timeout")

    @property
    def max_concurrency(self) -> int | None:
        """How many may ask it at once with one key, None where the row does not say."""
        return self.config.get("max_concurrency")

    @property
    def refusal_is_final(self) -> bool:
        """Whether nobody else is asked what its policy refused."""
        return self.config.get("on_refusal") != "next"

    @property
    def structured(self) -> Structured:
        """How it is made to answer in a schema: as the row says, else as its vendor does."""
        vendor = providers.find(self.provider)
        return self.config.get("structured") or (vendor.structured(self.model) if vendor else "instruction")

    def fill(self, request: ChatRequest) -> ChatRequest:
        """`request` with what the row says wherever it says nothing itself."""
        config = self.config
        return replace(
            request,
            temperature=config.get("temperature") if request.temperature is None else request.temperature,
            max_tokens=config.get("max_tokens") if request.max_tokens is None else request.max_tokens,
            extra={**config.get("extra", {}), **request.extra},
        )

    def to_json(self) -> Json:
        """What a person may change of it, as JSON."""
        return {
            "name": self.name,
            "provider": self.provider,
            "model": self.model,
            "scope": self.scope,
            "priority": self.priority,
            "enabled": self.enabled,
            "is_default": self.is_default,
            "auth": dict(self.auth),
            "config": dict(self.config),
        }

    def _shown(self) -> Card:
        facts: dict[str, Cell] = {
            "asks": Code(f"{self.provider}/{self.model}"),
            "scope": self.scope if self.scope != "global" else None,
            "priority": self.priority if self.is_listed else None,
            "state": State("on", good=True) if self.enabled else "off",
            "default": self.is_default,
            "key in": Code(redact(", ".join(self.auth.values()))) if self.auth else None,
            "config": cell(self.config),
        }
        return Card(self.name, facts, kind="Model")


@dataclass(frozen=True, slots=True, repr=False)
class Change(Shown):
    """One change of a row.

    Attributes:
        id: of the change.
        model_id: of the row.
        name: the row's name after the change, or before its removal.
        action: `seed`, `add`, `set`, `remove` or `restore`.
        before: the row before, None where there was none.
        after: the row after, None where it was removed.
        changed_by: who changed it, None if they did not say.
        changed_at: when.
    """

    id: str
    model_id: str
    name: str
    action: str
    before: Json | None
    after: Json | None
    changed_by: str | None
    changed_at: datetime

    def _shown(self) -> Card:
        before, after = self.before or {}, self.after or {}
        changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        facts: dict[str, Cell] = {
            "action": self.action,
            "what": ", ".join(changed) if before and after else None,
            "before": cell({name: before.get(name) for name in changed}) if before and after else None,
            "after": cell({name: after.get(name) for name in changed}) if before and after else None,
            "by": self.changed_by,
        }
        return Card(self.name, facts, kind="Model")
