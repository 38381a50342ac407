"""The catalog: which models may answer, in which order, and who changed that."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from toolkit.db import Database, Statement
from toolkit.display.shown import Listing
from toolkit.errors import Conflict
from toolkit.models import plan as planning
from toolkit.models import portable
from toolkit.models import rows as table
from toolkit.models.checks import check_row
from toolkit.models.lookup import Changes, Latencies, Lookup, Models
from toolkit.models.model import Change, Model
from toolkit.models.plan import Plan
from toolkit.models.restoring import as_it_was
from toolkit.models.seeds import seeds
from toolkit.stamps import new_id, now

__all__ = ["Catalog", "Change", "Changes", "Model", "Models", "Plan"]

_TRIES = 20  # a row that others keep changing is read again this often
_ALL = 2**31 - 1  # changes of one model: nobody makes so many


class Catalog(Lookup):
    """The table `models`, and the record of its changes.

    Every change is atomic, however many rows it is about, and the history has one entry for each of them.

    Args:
        db: where it is kept.
        environ: names to values; decides what `seed` adds.
        default_model: asked before the chain where no model is named, and what `"default"` means where no row is it.
        latencies: how fast a model answered lately, for `select`.

    Attributes:
        edition: another number after each change that was made here.
    """

    def __init__(
        self,
        db: Database,
        environ: Mapping[str, str],
        *,
        default_model: str | None = None,
        latencies: Latencies | None = None,
    ) -> None:
        super().__init__(db, environ, default_model=default_model, latencies=latencies)
        self.edition = 0

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
        planning.check_provider(added)
        check_row(added)
        for _ in range(_TRIES):
            deposed = await self._depose(added, moment, by)
            audit = table.audit("add", None, added, at=moment, by=by)
            if await self._write(added, *deposed, table.insert(added), *audit):
                return added
        raise _busy(added.name)

    async def set(
        self,
        name: str,
        *,
        priority: int | None = None,
        enabled: bool | None = None,
        default: bool | None = None,
        provider: str | None = None,
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
            provider: the vendor.
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
            "provider": provider,
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
            if planning.same(before, after):
                return before
            if before.provider != after.provider:
                planning.check_provider(after)
            check_row(after, changes.keys())
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

    async def add_many(self, models: Iterable[Mapping[str, Any]], *, by: str | None = None) -> Models:
        """Add several models, or none of them.

        Args:
            models: for each one what `add` is told of it, by the same names.
            by: who adds them, for the history.

        Raises:
            ConfigError: one of them cannot be used as written, or is a secret; the sentence says which.
            Conflict: a name is taken.
        """
        wanted = portable.checked([portable.row(number, model) for number, model in enumerate(models, 1)])
        done = await self._carry_out(lambda listed: planning.to_add(wanted, listed), by)
        return Listing(done.added)

    async def set_many(
        self,
        *names: str,
        provider: str | None = None,
        scope: str | None = None,
        priority: int | None = None,
        enabled: bool | None = None,
        by: str | None = None,
    ) -> Models:
        """Change several models, or none of them; gives them all, those that were so before as well.

        Args:
            names: their names or ids; without any, those of `provider` and `scope`.
            provider: all of this vendor's.
            scope: all of this scope's.
            priority: lower is tried first.
            enabled: whether they may be asked.
            by: who changes them, for the history.

        Raises:
            NotFound: one of them is not there, or none is.
            ConfigError: it is not said which ones, or something cannot be used as written.
        """
        wanted = {"priority": priority, "enabled": enabled}
        fields = {name: value for name, value in wanted.items() if value is not None}

        def plan(listed: Models) -> Plan:
            return planning.to_set(planning.chosen(listed, names, provider, scope), fields)

        done = await self._carry_out(plan, by)
        return table.in_order([*(after for _, after in done.changed), *done.unchanged])

    async def prioritize(self, priorities: Mapping[str, int], *, by: str | None = None) -> Models:
        """Give several models a priority each, or none of them; gives them as they are then.

        Args:
            priorities: by name or id; lower is tried first.
            by: who changes them, for the history.

        Raises:
            NotFound: one of them is not there.
            ConfigError: none is named, or a priority cannot be used.
        """
        done = await self._carry_out(lambda listed: planning.to_prioritize(listed, priorities), by)
        return table.in_order([*(after for _, after in done.changed), *done.unchanged])

    async def move(self, name: str, *, ahead_of: str | None, by: str | None = None) -> Model:
        """Put a model ahead of another one of its scope; gives it as it is then.

        Its priority becomes one between its new neighbours'. Where there is no room, those that follow get the next
        free ones.

        Args:
            name: its name or id.
            ahead_of: the name or id of the other; None: behind all of its scope.
            by: who moves it, for the history.

        Raises:
            NotFound: one of the two is not there.
            ConfigError: they are not of one scope.
        """
        await self._carry_out(lambda listed: planning.to_move(listed, name, ahead_of), by)
        return await self.get(name)

    async def remove_many(
        self, *names: str, provider: str | None = None, scope: str | None = None, by: str | None = None
    ) -> Models:
        """Remove several models, or none of them; gives them as they were. Their history stays.

        Args:
            names: their names or ids; without any, those of `provider` and `scope`.
            provider: all of this vendor's.
            scope: all of this scope's.
            by: who removes them, for the history.

        Raises:
            NotFound: one of them is not there, or none is.
            ConfigError: it is not said which ones.
        """

        def plan(listed: Models) -> Plan:
            return Plan(removed=tuple(planning.chosen(listed, names, provider, scope)))

        return Listing((await self._carry_out(plan, by)).removed)

    async def export_toml(self, *, provider: str | None = None, scope: str | None = None) -> str:
        """The models, all or those that fit, as the text of a TOML file that `import_toml` takes.

        No secret is in it: rows hold the names of environment variables.
        """
        return portable.write(await self.list(provider=provider, scope=scope))

    async def import_toml(
        self, text: str, *, replace: bool = False, dry_run: bool = False, by: str | None = None
    ) -> Plan:
        """Make the models what a TOML file says of them, all or none; gives what was done.

        A model is known by its name. What the file does not say of one has its usual value, so that a file means the
        same everywhere. Importing a file twice changes nothing the second time.

        Args:
            text: of the file; docs/configuration.md describes it.
            replace: models of which the file says nothing are removed.
            dry_run: only say what would be done.
            by: who changes them, for the history.

        Raises:
            ConfigError: the file cannot be used; the sentence names the entry and the field.
        """
        wanted = await asyncio.to_thread(portable.read, text)

        def plan(listed: Models) -> Plan:
            return planning.to_import(wanted, listed, replace_all=replace)

        return plan(await self.list()) if dry_run else await self._carry_out(plan, by)

    async def restore(self, name_or_id: str, *, at: str | None = None, by: str | None = None) -> Model:
        """Bring a model back to what it was; gives it as it is then. A removed one comes back with its id.

        It is checked anew, and what it was includes whether it was the default of its scope: then the present one is
        that no longer.

        Args:
            name_or_id: of a model, or of one that was removed.
            at: the id of one of its changes: back to what it was after that, or, if that removed it, before. Without
                it back to what it was before its last change, so that doing it twice undoes it; only what came back
                after its removal stays.
            by: who restores it, for the history.

        Raises:
            NotFound: there is no such model, or no such change of it.
            ConfigError: nothing was changed yet, or it cannot be used any more as it was.
            Conflict: its name is taken meanwhile.
        """
        changes = await self.history(name_or_id, limit=_ALL)
        model = as_it_was(changes, name_or_id, present=await self._find(name_or_id), at=at)
        if model is None:
            raise await self._not_found(name_or_id)
        for _ in range(_TRIES):
            row = await self._db.fetch_one("SELECT * FROM models WHERE id = :id", id=model.id)
            before = table.model_of(row) if row else None
            if before and planning.same(before, model):
                return before
            planning.check_provider(model)
            check_row(model)
            moment = table.next_stamp(before) if before else now()
            after = replace(model, updated_at=moment)
            deposed = await self._depose(after, moment, by)
            written = table.update(before, after) if before else table.insert(after)
            audit = table.audit("restore", before, after, at=moment, by=by)
            if await self._write(after, *deposed, written, *audit):
                return after
        raise _busy(model.name)

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
        self.edition += 1

    async def _carry_out(self, plan: Callable[[Models], Plan], by: str | None) -> Plan:
        """Do what `plan` makes of the rows that are there; gives it as it was done."""
        for _ in range(_TRIES):
            made = plan(await self.list())
            if made.empty:
                return made
            with suppress(Conflict):  # someone else came first: the plan is made anew, and says if it cannot be
                try:
                    await self._db.write(*made.statements(by=by))
                finally:
                    self.edition += 1
                return made
        raise Conflict("Others keep changing the models; try again.")

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
        finally:
            self.edition += 1
        return True


def _busy(name: str) -> Conflict:
    return Conflict(f"Others keep changing the model {name!r}; try again.")
