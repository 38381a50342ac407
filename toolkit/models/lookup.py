"""The catalog as it is read: which models there are, in which order they are tried, and what `model=` means."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from difflib import get_close_matches
from statistics import median
from typing import Any, Final, TypeAlias

from toolkit import providers
from toolkit.db import Database
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, NotFound, choices
from toolkit.models import rows as table
from toolkit.models.model import Change, Model
from toolkit.models.reach import missing
from toolkit.models.requirements import Wanted
from toolkit.redaction import redact

# The class has a method `list`, which hides the type's name in its annotations.
Models: TypeAlias = Listing[Model]
Changes: TypeAlias = Listing[Change]
Latencies: TypeAlias = Callable[[str], Awaitable[Sequence[float]]]
"""Milliseconds of the last answers of the model of that name."""


_MAKERS: Final = {r"gpt-|chatgpt-|o\d|text-embedding-": "openai", r"claude-": "anthropic", r"gemini-": "google"}
"""How the names begin of those whose models other programs name without their vendor."""


async def _unknown(_name: str) -> Sequence[float]:
    return ()


class Lookup:
    """The table `models`, read.

    Args:
        db: where it is kept.
        environ: names to values; whose keys are set.
        default_model: asked before the chain where no model is named, and what `"default"` means where no row is it.
        latencies: how fast a model answered lately, for `select`.
    """

    def __init__(
        self,
        db: Database,
        environ: Mapping[str, str],
        *,
        default_model: str | None = None,
        latencies: Latencies | None = None,
    ) -> None:
        self._db = db
        self._environ = environ
        self._default_model = default_model
        self._latencies = latencies or _unknown

    async def list(
        self, *, provider: str | None = None, enabled: bool | None = None, scope: str | None = None
    ) -> Models:
        """Every model, or those that fit, by scope, priority and name."""
        rows = await self._db.fetch_all(
            """
            SELECT *
              FROM models
             WHERE (CAST(:provider AS TEXT) IS NULL OR provider = :provider)
               AND (CAST(:enabled AS BOOLEAN) IS NULL OR enabled = :enabled)
               AND (CAST(:scope AS TEXT) IS NULL OR scope = :scope)
            """,
            provider=provider,
            enabled=enabled,
            scope=scope,
        )
        return table.models_of(rows)

    async def get(self, name_or_id: str) -> Model:
        """The model of that name, else of that id.

        Raises:
            NotFound: the sentence names the nearest ones.
        """
        found = await self._find(name_or_id)
        if found is None:
            raise await self._not_found(name_or_id)
        return found

    async def chain(self, scope: str = "global") -> Models:
        """The enabled models of `scope` in the order in which they are tried; of `global` if it has none."""
        rows = await self._db.fetch_all(
            """
            SELECT *
              FROM models
             WHERE enabled
               AND scope = CASE WHEN EXISTS (SELECT 1 FROM models WHERE enabled AND scope = CAST(:scope AS TEXT))
                                THEN CAST(:scope AS TEXT) ELSE 'global' END
            """,
            scope=scope,
        )
        return table.models_of(rows)

    async def default(self, scope: str = "global") -> Model | None:
        """The default of `scope`, else of `global`; None if neither has one. It may be disabled."""
        row = await self._db.fetch_one(
            """
            SELECT *
              FROM models
             WHERE is_default AND scope IN (:scope, 'global')
             ORDER BY CASE WHEN scope = 'global' THEN 1 ELSE 0 END
             LIMIT 1
            """,
            scope=scope,
        )
        return table.model_of(row) if row else None

    async def history(self, name: str | None = None, *, limit: int = 50) -> Changes:
        """The last `limit` changes, newest first, of all models or of one, whatever it was called meanwhile."""
        rows = await self._db.fetch_all(
            """
            SELECT *
              FROM model_changes
             WHERE CAST(:name AS TEXT) IS NULL
                OR model_id IN (SELECT model_id FROM model_changes WHERE name = :name OR model_id = :name)
             ORDER BY changed_at DESC, id DESC
             LIMIT :limit
            """,
            name=name,
            limit=max(0, limit),
        )
        return Listing(table.change_of(row) for row in rows)

    async def resolve(self, model: str | None, *, scope: str = "global") -> Models:
        """The models that `model=` means, in the order in which they are tried.

        Args:
            model: a name or an id, the vendor's own name of a listed model, `provider/model`, the name of a model of
                OpenAI, Anthropic or Google whose key is set, `"default"`, or None for the chain of `scope`, after the
                default model if the environment names one.
            scope: whose chain, and whose default.

        Raises:
            NotFound: there is no such model; the sentence says how to add one.
            ConfigError: the model is there, but disabled.
        """
        if model is not None:
            return Listing([await self._one(model, scope)])
        chain = await self.chain(scope)
        if self._default_model is None:
            return chain
        first = await self._one(self._default_model, scope)
        return Listing([first, *(each for each in chain if each.id != first.id)])

    async def select(self, requirements: Mapping[str, Any], *, scope: str = "global") -> Models:
        """The models of the chain of `scope` that fit, those that are preferred first; it may be none.

        Args:
            requirements: what it must have, and in which order they are wanted, as `requirements.select` describes.
            scope: whose chain; a `scope` among the requirements wins.

        Raises:
            ConfigError: a requirement that there is not, or that cannot be used as written.
        """
        wanted = Wanted.read(requirements)
        return await self.fitting(await self.chain(wanted.scope or scope), requirements)

    async def fitting(self, models: Sequence[Model], requirements: Mapping[str, Any]) -> Models:
        """Those of `models` that fit, those that are preferred first; the same as `select` otherwise."""
        wanted = Wanted.read(requirements)
        latency: dict[str, float] = {}
        if wanted.prefer == "fastest":
            measured = await asyncio.gather(*(self._latencies(model.name) for model in models))
            latency = {model.name: median(taken) for model, taken in zip(models, measured, strict=True) if taken}
        # In a thread, because what is known of a model may have to be loaded first.
        return Listing(await asyncio.to_thread(wanted.of, models, latency=latency))

    async def _one(self, model: str, scope: str) -> Model:
        found = await (self.default(scope) if model == "default" else self._find(model))
        if found is None and model == "default":
            if self._default_model in (None, "default"):
                raise NotFound("No default model is set; set one with `toolkit models default NAME`.")
            return await self._one(str(self._default_model), scope)
        if found is None:
            found = await self._by_vendors_name(model, scope) or self._unlisted(model)
        if found is None:
            raise await self._not_found(model)
        if not found.enabled:
            raise ConfigError(f"Model {found.name!r} is disabled; enable it with `toolkit models enable {found.name}`.")
        return found

    async def _by_vendors_name(self, model: str, scope: str) -> Model | None:
        """The first of the rows that stand for the vendor's `model`; enabled ones, and those of `scope`, come first."""
        row = await self._db.fetch_one(
            """
            SELECT *
              FROM models
             WHERE model = :model AND scope IN (:scope, 'global')
             ORDER BY CASE WHEN enabled THEN 0 ELSE 1 END, CASE WHEN scope = 'global' THEN 1 ELSE 0 END, priority, name
             LIMIT 1
            """,
            model=model,
            scope=scope,
        )
        return table.model_of(row) if row else None

    def _unlisted(self, name: str) -> Model | None:
        """The model without a row that `name` means: `provider/model`, or one that tells its vendor by its name."""
        provider, _, vendors_name = name.partition("/")
        if vendors_name and provider in providers.known():
            return Model.unlisted(provider, vendors_name)
        for pattern, maker in _MAKERS.items():
            if re.match(pattern, name) and not missing(model := Model.unlisted(maker, name), self._environ):
                return model
        return None

    async def _find(self, name_or_id: str) -> Model | None:
        row = await self._db.fetch_one(
            """
            SELECT *
              FROM models
             WHERE name = :name OR id = :name
             ORDER BY CASE WHEN name = :name THEN 0 ELSE 1 END
             LIMIT 1
            """,
            name=name_or_id,
        )
        return table.model_of(row) if row else None

    async def _not_found(self, name: str) -> NotFound:
        return no_such_model(name, await self.list())


def no_such_model(name: str, listed: Sequence[Model]) -> NotFound:
    """The error that says that there is no such model among those `listed`, what is near to it, and how to add one."""
    wanted = redact(name)
    near = get_close_matches(name, [model.name for model in listed], n=3, cutoff=0.5)
    near += [model.name for model in listed if name in (model.model, f"{model.provider}/{model.model}")]
    there = f"near to it: {', '.join(map(repr, dict.fromkeys(near)))}" if near else choices(m.name for m in listed)
    return NotFound(
        f"There is no model {wanted!r} ({there}); "
        f"add it with `toolkit models add PROVIDER MODEL --name {wanted}`, or write provider/model."
    )
