"""What a person may mean who has begun to type: names and ids for arguments of prompts and gaps of addresses."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from mcp import MCPError
from mcp.types import INVALID_PARAMS, CompleteRequestParams, CompleteResult, Completion, PromptReference

from mcp_server.errors import refused
from mcp_server.house import House
from mcp_server.reading import CHUNKS, DOCUMENTS, SESSIONS
from mcp_server.resources import owner_of
from mcp_server.sampling import Context
from toolkit.tools.registry import no_such

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

MOST: Final = 100
"""Values of one answer, as the protocol has it."""

_Complete: TypeAlias = Callable[["Toolkit", str, str | None], Awaitable[list[str]]]


class Completions:
    """Reads the wire, asks the rooms, writes the wire.

    Args:
        house: has what can be named.
    """

    def __init__(self, house: House) -> None:
        self._house = house

    async def complete(self, ctx: Context, params: CompleteRequestParams) -> CompleteResult:
        """`completion/complete`."""
        begun = params.argument.value
        try:
            tk = await self._house.opened()
            if isinstance(params.ref, PromptReference):
                values = await _of_prompt(tk, params.ref.name, params.argument.name, begun, owner_of(ctx))
            else:
                values = await _of_address(
                    tk, params.ref.uri, params.argument.name, begun, owner_of(ctx, params.ref.uri)
                )
        except MCPError:
            raise
        except Exception as error:
            raise refused(error, "completion/complete") from error
        more = len(values) > MOST
        return CompleteResult(
            completion=Completion(values=values[:MOST], total=None if more else len(values), has_more=more)
        )


async def _of_prompt(tk: "Toolkit", prompt: str, argument: str, begun: str, owner: str | None) -> list[str]:
    """Values for an argument of a prompt: what its name says that it is, and what counts if it is not given."""
    arguments = {each.name: each for each in (await tk.prompts.get(prompt)).arguments}
    if argument not in arguments:
        raise MCPError(INVALID_PARAMS, no_such("argument", argument, arguments))
    default = arguments[argument].default
    known = await _BY_NAME[argument](tk, begun, owner) if argument in _BY_NAME else []
    return list(dict.fromkeys([*_fitting([default] if default else [], begun), *known]))


async def _of_address(tk: "Toolkit", uri: str, argument: str, begun: str, owner: str | None) -> list[str]:
    for prefix, complete in _BY_ADDRESS.items():
        if uri == f"{prefix}{{id}}":
            if argument != "id":
                raise MCPError(INVALID_PARAMS, no_such("argument", argument, ["id"]))
            return await complete(tk, begun, owner)
    raise MCPError(INVALID_PARAMS, no_such("template", uri, [f"{prefix}{{id}}" for prefix in _BY_ADDRESS]))


async def _collections(tk: "Toolkit", begun: str, owner: str | None) -> list[str]:
    return _fitting((each.name for each in await tk.documents.collections(owner=owner)), begun)


async def _models(tk: "Toolkit", begun: str, _owner: str | None) -> list[str]:
    return _fitting((each.name for each in await tk.models.list(enabled=True)), begun)


async def _sessions(tk: "Toolkit", begun: str, owner: str | None) -> list[str]:
    """Ids of sessions, last used first, by the beginning of their id or by their title."""
    sessions = await tk.sessions.list(limit=MOST + 1, owner=owner)
    wanted = begun.casefold()
    return [
        each.id for each in sessions if each.id.startswith(wanted) or (each.title and wanted in each.title.casefold())
    ]


async def _documents(tk: "Toolkit", begun: str, owner: str | None) -> list[str]:
    """Ids of documents, last changed first, by the beginning of their id or by a part of their source or title."""
    return [each.id for each in await tk.documents.recent(limit=MOST + 1, matching=begun, owner=owner)]


async def _chunks(tk: "Toolkit", begun: str, owner: str | None) -> list[str]:
    """Ids of chunks: of the one document that is meant each, of several the first of each."""
    document, dash, position = begun.rpartition("-")
    found = await tk.documents.recent(limit=MOST + 1, matching=begun, owner=owner)
    if not found and dash and (not position or position.isdigit()):
        found = await tk.documents.recent(limit=2, matching=document, owner=owner)
    if len(found) != 1:
        return [f"{each.id}-1" for each in found]
    own = found[0].id
    every = [f"{own}-{number}" for number in range(1, found[0].chunks + 1)]
    return _fitting(every, begun) if begun.startswith(own) else every


def _fitting(names: Iterable[str], begun: str) -> list[str]:
    """The names that begin so, whatever their case; behind them those that have it elsewhere."""
    wanted = begun.casefold()
    fitting = dict.fromkeys(name for name in names if wanted in name.casefold())
    return sorted(fitting, key=lambda name: not name.casefold().startswith(wanted))


_BY_NAME: Final[Mapping[str, _Complete]] = {
    "collection": _collections,
    "model": _models,
    "session": _sessions,
    "document": _documents,
    "document_id": _documents,
    "chunk_id": _chunks,
}
"""What an argument of a prompt is, where its name says it."""

_BY_ADDRESS: Final[Mapping[str, _Complete]] = {CHUNKS: _chunks, DOCUMENTS: _documents, SESSIONS: _sessions}
