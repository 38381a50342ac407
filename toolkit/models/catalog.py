"""The catalog: which models may answer, in which order, and who changed that."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any, TypeAlias

from toolkit import providers
from toolkit.db import Database, Statement
from toolkit.errors import ConfigError, Conflict, NotFound, choices
from toolkit.models import rows as table
from toolkit.models.checks import check_config, check_priority, check_text, refuse_secrets
from toolkit.models.model import Change, Model
from toolkit.models.seeds import seeds
from toolkit.redaction import redact
from toolkit.stamps import new_id, now

__all__ = ["Catalog", "Change", "Model"]

# The class has a method `list`, which hides the type's name in its annotations.
Models: TypeAlias = list[Model]
Changes: TypeAlias = list[Change]

_TRIES = 20  # a row that others keep changing is read again this often


class Catalog:
    """The table `models`, and the record of its changes.

    Args:
        db: where it is kept.
        environ: names to values; decides what `seed` adds.
        default_model: asked before the chain where no model is named, and what `"default"` means where no row is it.
    """

    def __init__(self, db: Database, environ: Mapping[str, str], *, default_model: str | None = None) -> None:
        self._db = db
        self._environ = environ
        self._default_model = default_model

    async def add(
        self,
        provider: str,
        model: str,
        *,
        name: str | None = None,
        priority: int = 100,
        scope: str = "global",
        enabled: bool = True,
        default: bool = False,
        auth: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        by: str | None = None,
    ) -> Model:
        """Add a model.

        Args:
            provider: the vendor: a file of `toolkit/providers`.
            model: the vendor's own name of the model.
            name: what to call it; the vendor's name if not given.
            priority: lower is tried first.
            scope: whose chain it belongs to.
            enabled: whether it may be asked.
            default: makes it the default of its scope, and the former one no longer.
            auth: names of environment variables, see `Model`; the vendor's usual ones if not given.
            config: settings, see `Model`.
            by: who adds it, for the history.

        Raises:
            ConfigError: something cannot be used as written, or is a secret.
            Conflict: the name is taken.
        """
        if provider not in providers.known():
            raise ConfigError(f"There is no provider {provider!r}; {choices(providers.known())}.")
        moment = now()
        added = Model(
            id=new_id(),
            name=model if name is None else name,
            provider=provider,
            model=model,
            scope=scope,
            priority=priority,
            enabled=enabled,
            is_default=default,
            auth=dict(auth or {}),
            config=dict(config or {}),
            created_at=moment,
            updated_at=moment,
        )
        _check(added)
        for _ in range(_TRIES):
            deposed = await self._depose(added, moment, by)
            audit = table.audit("add", None, added, at=moment, by=by)
            if await self._write(added, *deposed, table.insert(added), *audit):
                return added
        raise _busy(added.name)

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
            raise NotFound(_missing(name_or_id, await self.list()))
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

    async def set(
        self,
        name: str,
        *,
        priority: int | None = None,
        enabled: bool | None = None,
        default: bool | None = None,
        model: str | None = None,
        new_name: str | None = None,
        scope: str | None = None,
        auth: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        by: str | None = None,
    ) -> Model:
        """Change what is given of a model, and nothing else; gives the model after it.

        Two who change different things of one model at the same time both succeed.

        Args:
            name: its name or id.
            priority: lower is tried first.
            enabled: whether it may be asked.
            default: makes it the default of its scope, and the former one no longer; False leaves the scope without.
            model: the vendor's own name of the model.
            new_name: what to call it from now on.
            scope: whose chain it belongs to.
            auth: replaces all of it.
            config: replaces all of it.
            by: who changes it, for the history.

        Raises:
            NotFound: there is no such model.
            ConfigError: something cannot be used as written, or is a secret.
            Conflict: the new name is taken.
        """
        wanted = {
            "priority": priority,
            "enabled": enabled,
            "is_default": default,
            "model": model,
            "name": new_name,
            "scope": scope,
            "auth": None if auth is None else dict(auth),
            "config": None if config is None else dict(config),
        }
        changes: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
        for _ in range(_TRIES):
            before = await self.get(name)
            after = replace(before, **changes)
            if after == before:
                return before
            _check(after, touched=changes.keys())
            moment = table.next_stamp(before)
            after = replace(after, updated_at=moment)
            deposed = await self._depose(after, moment, by)
            audit = table.audit("set", before, after, at=moment, by=by)
            if await self._write(after, *deposed, table.update(before, after), *audit):
                return after
        raise _busy(name)

    async def remove(self, name: str, *, by: str | None = None) -> None:
        """Remove a model; its history stays.

        Raises:
            NotFound: there is no such model.
        """
        for _ in range(_TRIES):
            before = await self.get(name)
            audit = table.audit("remove", before, None, at=now(), by=by)
            if await self._write(before, table.delete(before), *audit):
                return
        raise _busy(name)

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
        return [table.change_of(row) for row in rows]

    async def seed(self) -> None:
        """Add a row for each vendor whose variables are there, and one for answers without any vendor.

        A vendor is seeded once: a seed that was changed or removed stays so. Harmless in two processes at once, and
        a model that somebody else already called so is left alone.
        """
        rows = await self._db.fetch_all("SELECT id FROM model_changes WHERE action = 'seed'")
        kept = {row["id"] for row in rows}
        for change_id, model in seeds(self._environ):
            if change_id not in kept:
                moment = now()
                seeded = replace(model, id=new_id(), created_at=moment, updated_at=moment)
                # Another process has just seeded it, or a person's row has the name.
                with suppress(Conflict):
                    await self._db.write(table.insert(seeded), *table.audit_once(change_id, seeded, at=moment))

    async def resolve(self, model: str | None, *, scope: str = "global") -> Models:
        """The models that `model=` means, in the order in which they are tried.

        Args:
            model: a name or an id, `provider/model`, `"default"`, or None for the chain of `scope`, after the default
                model if the environment names one.
            scope: whose chain, and whose default.

        Raises:
            NotFound: there is no such model; the sentence says how to add one.
            ConfigError: the model is there, but disabled.
        """
        if model is not None:
            return [await self._one(model, scope)]
        chain = await self.chain(scope)
        if self._default_model is None:
            return chain
        first = await self._one(self._default_model, scope)
        return [first, *(each for each in chain if each.id != first.id)]

    async def _one(self, model: str, scope: str) -> Model:
        found = await (self.default(scope) if model == "default" else self._find(model))
        if found is None and model == "default":
            if self._default_model in (None, "default"):
                raise NotFound("No default model is set; set one with `toolkit models default NAME`.")
            return await self._one(str(self._default_model), scope)
        if found is None:
            provider, _, vendors_name = model.partition("/")
            if not vendors_name or provider not in providers.known():
                raise NotFound(_missing(model, await self.list()))
            found = Model.unlisted(provider, vendors_name)
        if not found.enabled:
            raise ConfigError(f"Model {found.name!r} is disabled; enable it with `toolkit models enable {found.name}`.")
        return found

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

    async def _depose(self, heir: Model, moment: datetime, by: str | None) -> Sequence[Statement]:
        """What makes the former default of the scope of `heir` an ordinary model, if `heir` is to be the default."""
        if not heir.is_default:
            return ()
        row = await self._db.fetch_one(
            "SELECT * FROM models WHERE is_default AND scope = :scope AND id <> :id", scope=heir.scope, id=heir.id
        )
        if row is None:
            return ()
        before = table.model_of(row)
        after = replace(before, is_default=False, updated_at=max(moment, table.next_stamp(before)))
        return table.update(before, after), *table.audit("set", before, after, at=moment, by=by)

    async def _write(self, model: Model, *statements: Statement) -> bool:
        """Whether the list was written; False if someone else came first and it must be made anew."""
        try:
            await self._db.write(*statements)
        except table.Stale:
            return False
        except Conflict:
            row = await self._db.fetch_one("SELECT id FROM models WHERE name = :name", name=model.name)
            if row and row["id"] != model.id:
                raise Conflict(f"The name {model.name!r} is taken by another model; choose another.") from None
            return False
        return True


def _check(model: Model, touched: Iterable[str] = ("name", "model", "scope", "priority", "auth", "config")) -> None:
    """Refuse what cannot be used, among the fields that somebody has just written."""
    fields = set(touched)
    for field in ("name", "model", "scope"):
        if field in fields:
            check_text(field, getattr(model, field))
    check_priority(model.priority)
    if fields & {"auth", "config"}:
        refuse_secrets(model.auth, model.config)
        check_config(model.config)


def _missing(name: str, listed: Sequence[Model]) -> str:
    wanted = redact(name)
    near = get_close_matches(name, [model.name for model in listed], n=3, cutoff=0.5)
    near += [model.name for model in listed if name in (model.model, f"{model.provider}/{model.model}")]
    there = f"near to it: {', '.join(map(repr, dict.fromkeys(near)))}" if near else choices(m.name for m in listed)
    return (
        f"There is no model {wanted!r} ({there}); "
        f"add it with `toolkit models add PROVIDER MODEL --name {wanted}`, or write provider/model."
    )


def _busy(name: str) -> Conflict:
    return Conflict(f"Others keep changing the model {name!r}; try again.")
