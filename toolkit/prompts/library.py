"""What is said on our behalf: prompts, from the package, a folder and the database."""

import builtins
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.db import Database
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, DatabaseError, NotFound, choices
from toolkit.prompts.files import OWN, PromptFiles
from toolkit.prompts.prompt import Prompt, PromptArgument, can_be_id, prompt_of, valid_id
from toolkit.prompts.prompt_tool import Ask, prompt_tool
from toolkit.prompts.rendering import fill
from toolkit.prompts.validation import Validation, check, validated
from toolkit.prompts.versions import PromptVersion, PromptVersions
from toolkit.tools.registry import no_such
from toolkit.tools.tool import Tool

__all__ = ["OWN", "Prompt", "PromptArgument", "PromptVersion", "Prompts", "Validation"]

_MOST = 2**31 - 1  # versions; who says more means all
_log = logging.getLogger(__name__)


class Prompts:
    """The prompts of the database, of a folder, and those that come with the toolkit; the first that has one counts.

    docs/prompts.md describes how a prompt is written. While the database cannot be asked, the files count alone, and
    `last_failure` says so.

    Args:
        folder: the user's own files.
        db: where versions are kept; None: there are files only.

    Attributes:
        last_failure: why the database could not be asked the last time, None if it could.
    """

    def __init__(self, folder: Path | None = None, db: Database | None = None) -> None:
        self._files = PromptFiles(folder)
        self._versions = PromptVersions(db) if db else None
        self.last_failure: str | None = None

    def files(self) -> Listing[Prompt]:
        """The prompts of the folder and the package, by id; the database is not asked.

        Raises:
            ConfigError: a file cannot be used as written, or the folder is missing; the message names it.
        """
        found = self._files.list()
        for prompt in found:
            check(prompt)
        return Listing(found)

    async def list(self) -> Listing[Prompt]:
        """Every prompt that counts, by id; each says where it comes from.

        Raises:
            ConfigError: one cannot be used as written, or the folder is missing; the message names it.
        """
        found = {prompt.id: prompt for prompt in self._files.list()}
        found |= {version.id: _prompt(version) for version in await self._newest()}
        for prompt in found.values():
            check(prompt)
        return Listing(found[name] for name in sorted(found))

    async def get(self, id: str, /) -> Prompt:  # noqa: A002 - its name
        """The prompt of that id.

        Raises:
            NotFound: there is none; the message says what there is.
            ConfigError: it cannot be used as written.
            DatabaseError: no file has it, and the database cannot be asked.
        """
        prompt = await self._find(id)
        check(prompt)
        return prompt

    async def render(self, id: str, /, **arguments: Any) -> str:  # noqa: A002 - its name
        """The text of a prompt with its gaps filled. What fills a gap is text, never read as a template.

        Raises:
            NotFound: there is no such prompt.
            ConfigError: an argument is missing or unknown, or the text cannot be made; the message names it.
        """
        return fill(await self.get(id), arguments)

    async def validate(
        self,
        id: str | None = None,  # noqa: A002 - its name
        *,
        text: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        window: int | None = None,
        model: str | None = None,
    ) -> Validation:
        """Everything that is wrong with a prompt, at once; nothing is kept.

        Args:
            id: what it is called.
            text: front matter and text of one that is not there yet; without it, the prompt `id`.
            arguments: what would fill its gaps; None: only how it is written is looked at.
            window: how many tokens it may have at most.
            model: whose tokens they are, the vendor's name of it.

        Raises:
            NotFound: there is no such prompt.
        """
        if text is not None:
            prompt = prompt_of(text, called=id or "prompt", source="database")
        elif id is not None:
            prompt = await self._find(id)
        else:
            raise ConfigError("There is nothing to validate; give the id of a prompt or a text.")
        return validated(prompt, arguments, window, model)

    async def add(self, id: str, text: str, *, by: str | None = None, after: int | None = None) -> PromptVersion:  # noqa: A002 - its name
        """Keep a prompt in the database, as a new version if it is there already; it then counts before any file.

        Two who add a version at the same moment both succeed, one after the other, unless they say `after`.

        Args:
            id: what it is called.
            text: front matter and text.
            by: who adds it, for the history.
            after: the version that was changed, 0 for none; None: whatever is the newest.

        Raises:
            ConfigError: it cannot be used as written; the message says everything that is wrong.
            Conflict: `after` is not the newest version any more.
        """
        prompt = prompt_of(text, called=valid_id(id), source="database")
        check(prompt)
        if prompt.id != id:
            raise ConfigError(
                f"The front matter says that the prompt is {prompt.id!r}, not {id!r}; change one of them."
            )
        return await self._kept.append(id, text, by=by, after=after)

    async def history(self, id: str, /, *, limit: int = 50) -> Listing[PromptVersion]:  # noqa: A002 - its name
        """Who kept what of a prompt in the database, newest first; a version without text is its removal.

        Raises:
            NotFound: it was never in the database.
            ConfigError: `limit` is below 1.
        """
        if limit < 1:
            raise ConfigError(f"`limit` must be at least 1 (got {limit}).")
        versions = await self._kept.history(id, limit=min(limit, _MOST))
        if not versions:
            raise await self._not_kept(id)
        return Listing(versions)

    async def restore(self, id: str, /, version: int, *, by: str | None = None) -> PromptVersion:  # noqa: A002 - its name
        """Let a former version of a prompt count again, as a new one.

        Raises:
            NotFound: there is no such version.
            ConfigError: that version is its removal, or cannot be used any more as it is written.
        """
        former = await self._kept.at(id, version)
        if former is None:
            if await self._kept.last(id) is None:
                raise await self._not_kept(id)
            raise NotFound(f"The prompt {id!r} has no version {version}; `history` says which it has.")
        if former.text is None:
            raise ConfigError(f"Version {version} of the prompt {id!r} is its removal; remove it, or restore another.")
        return await self.add(id, former.text, by=by)

    async def remove(self, id: str, /, *, by: str | None = None) -> Prompt | None:  # noqa: A002 - its name
        """Take a prompt out of the database; its history stays. Gives the file's that counts now, None without one.

        Raises:
            NotFound: it is not in the database.
        """
        last = await self._kept.last(id)
        if last is None or last.text is None:
            raise await self._not_kept(id)
        await self._kept.append(id, None, by=by, after=None)
        return self._files.find(id)

    async def as_tool(self, id: str, /, ask: Ask) -> Tool:  # noqa: A002 - its name
        """A tool that takes a prompt's arguments, fills it in and has it asked; the prompt is read anew each time.

        Args:
            id: of the prompt.
            ask: asks a model; it gets the text, the prompt's hints (keywords of `Toolkit.complete`) and who calls.

        Raises:
            NotFound: there is no such prompt.
            ConfigError: it cannot be used as written, or cannot name a tool.
        """
        return prompt_tool(await self.get(id), self.get, ask)

    async def _find(self, name: str) -> Prompt:
        last = failure = None
        if self._versions and can_be_id(name):
            try:
                last = await self._versions.last(name)
                self.last_failure = None
            except DatabaseError as error:
                failure = self._failed(error)
        if last and last.text is not None:
            return _prompt(last)
        prompt = self._files.find(name)
        if prompt:
            return prompt
        if failure:
            raise failure
        names = {prompt.id for prompt in self._files.list()} | {version.id for version in await self._newest()}
        raise NotFound(no_such("prompt", name, sorted(names)))

    async def _newest(self) -> builtins.list[PromptVersion]:
        if not self._versions:
            return []
        try:
            newest = await self._versions.newest()
        except DatabaseError as error:
            self._failed(error)
            return []
        self.last_failure = None
        return newest

    def _failed(self, error: DatabaseError) -> DatabaseError:
        if self.last_failure is None:
            _log.warning("Only the prompts of files are there: %s", error)
        self.last_failure = str(error)
        return error

    @property
    def _kept(self) -> PromptVersions:
        if not self._versions:
            raise ConfigError("These prompts are files only; give a database to keep versions in.")
        return self._versions

    async def _not_kept(self, name: str) -> NotFound:
        prompt = self._files.find(name)
        if prompt:
            return NotFound(f"The prompt {name!r} is not in the database: it is the file {prompt.path}.")
        last = await self._kept.last(name) if can_be_id(name) else None
        if last and last.text is None:
            return NotFound(f"The prompt {name!r} is removed already; `toolkit prompts history` shows what it was.")
        names = [each.id for each in await self._newest()]
        others = f"; {choices(names)}" if names else ", and no other"
        return NotFound(f"There is no prompt {name!r} in the database{others}.")


def _prompt(version: PromptVersion) -> Prompt:
    return prompt_of(version.text or "", called=version.id, source="database", version=str(version.version))
