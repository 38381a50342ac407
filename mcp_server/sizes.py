"""How much of a result a host gets at once, and how it gets the rest.

Hosts cut what is too long, or keep it out of the conversation, and a model does not learn that anything is missing. So
a result that is longer than `TOOLKIT_MAX_RESULT_TOKENS` is cut here, at the end of a line, and ends with the call that
reads on. That call is the same for all tools, those of the user and of other servers too: `read_more` gives the next
part of what is kept in this process for ten minutes. A cursor of each tool's own would have to run it again, which may
cost, or answer differently. Tools that list things have cursors besides, for what they do not fetch at once.
"""

import asyncio
import json
import secrets
from collections.abc import Callable
from functools import cached_property
from typing import Annotated

from pydantic import Field
from pydantic_core import to_json

from toolkit.errors import ToolError
from toolkit.messages import Json
from toolkit.tools.tool import Tool, ToolResult, make_tool

NAME = "read_more"
BYTES_PER_TOKEN = 4
KEPT_SECONDS = 600
MOST_KEPT = 64_000_000
"""Characters of all results that are kept; the oldest give way."""

_SENTENCE = 300  # bytes for how to read on


class LongResults:
    """Results that were cut, and their rest.

    Args:
        tokens: says how many a result may have; one that is cut has a little less.
    """

    def __init__(self, tokens: Callable[[], int]) -> None:
        self._tokens = tokens
        self._kept: dict[str, str] = {}

    def fitting(self, result: ToolResult) -> ToolResult:
        """`result`, or its first part and how to read on.

        Text and data are bounded each. Cut, they say the same again: the data has the text's part, for half a structure
        is none. Where only the data is too long, it is what is read, as JSON.
        """
        most = self._tokens() * BYTES_PER_TOKEN
        try:
            text, data = result.text.encode(), to_json(result.data)
        except ValueError:  # halves of characters, e.g. in names of files: no wire takes them
            result = _mended(result)
            text, data = result.text.encode(), to_json(result.data)
        if len(text) <= most and len(data) <= most:
            return result
        return self._part(self._keep(result.text if len(text) > most else data.decode()), 0)

    @cached_property
    def tool(self) -> Tool:
        """The tool that reads on; it is offered beside all others."""

        async def read_more(
            handle: Annotated[str, Field(description="As the cut result names it")],
        ) -> ToolResult:
            """Read on in a result that was cut because it was too long; it is kept for ten minutes."""
            key, _, start = handle.strip().rpartition("-")
            if key not in self._kept or not start.isdecimal() or int(start) >= len(self._kept[key]):
                raise ToolError(
                    f"Nothing is kept under {handle[:60]!r} any more; call the tool again that gave it, and ask it for "
                    "less at once where you can."
                )
            return self._part(key, int(start))

        return make_tool(read_more, title="Read on", read_only=True, idempotent=True)

    def _keep(self, whole: str) -> str:
        key = secrets.token_urlsafe(16).replace("-", "_")  # whoever has it may read, so nobody must guess it
        self._kept[key] = whole
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._kept.pop, key, None)
        return key

    def _part(self, key: str, start: int) -> ToolResult:
        whole = self._kept[key]
        part = _fitting(whole[start:], self._tokens() * BYTES_PER_TOKEN - _SENTENCE)
        end = start + len(part)
        data: Json = {"text": part, "characters": [start, end], "of": len(whole)}
        if end == len(whole):
            return ToolResult(part, data)
        handle = f"{key}-{end}"
        sentence = f"[Cut: characters {start:,} to {end:,} of {len(whole):,}. Read on with {NAME}(handle={handle!r}).]"
        return ToolResult(f"{part}\n{sentence}", {**data, NAME: handle})


def _mended(result: ToolResult) -> ToolResult:
    data = json.dumps(result.data, ensure_ascii=False).encode("utf-8", "replace")
    return ToolResult(result.text.encode("utf-8", "replace").decode(), json.loads(data))


def _fitting(text: str, most: int) -> str:
    """The beginning of `text`, at most `most` bytes of JSON; up to the end of a line where one is near."""
    part = text[:most]
    while (size := len(to_json(part))) > most:
        part = part[: max(1, len(part) * most // (size + 1))]
    if len(part) == len(text):
        return part
    line = part.rfind("\n") + 1
    return part[:line] if line > len(part) // 2 else part
