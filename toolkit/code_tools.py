"""The tools for code: one measures before a model speaks, two have a model read a file."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from toolkit import providers
from toolkit.builtin import provenance, told
from toolkit.errors import ConfigError, ToolError, ToolkitError
from toolkit.messages import Json, Reply
from toolkit.models.outlook import Outlook
from toolkit.models.tokens import count_text
from toolkit.redaction import redact
from toolkit.search.reading.folder import keeps_secrets
from toolkit.tools.code.cutting import Cut, cut
from toolkit.tools.code.roots import Roots
from toolkit.tools.tool import Tool, ToolContext, ToolResult, tool

if TYPE_CHECKING:
    from toolkit.models.model import Model
    from toolkit.toolkit import Toolkit

NO_MODEL = (
    "No model that can judge code is set up; set a vendor's key, e.g. OPENAI_API_KEY, or OPENAI_BASE_URL for a model "
    "on this machine."
)

_SHARE = 0.5  # of the window: the rest is for the prompt, the answer and a wrong estimate
_USUAL = 16_000  # tokens of code where the window is not known
_MOST = 60_000  # tokens of code: what is longer is judged worse, and costs
_SECONDS = 180.0  # for the model: a long answer over a long file
_LIMIT = 240.0  # for the whole call

Focus = Annotated[str, Field(max_length=2000, description="What to look at above all")]
Code = Annotated[str, Field(description="The code; or give path")]
File = Annotated[str, Field(description="A file of the user's; or give code")]


def code_tools(tk: "Toolkit") -> list[Tool]:
    """The tools of the preset `code`. They read below `TOOLKIT_CODE_ROOTS`, and change nothing."""
    roots = Roots(tk.settings.code_roots)

    @tool(title="Analyze an architecture", read_only=True, open_world=True, timeout=_LIMIT, presets=("code",))
    async def analyze_architecture(
        context: ToolContext,
        path: Annotated[str, Field(description="A folder of Python code")] = ".",
        focus: Focus = "",
    ) -> ToolResult:
        """Measure imports, cycles, layers and sizes of a Python tree, and have another model judge them; use it before a refactoring, or to know a strange code base."""  # noqa: E501 - one paragraph is one description
        from toolkit.tools.code.architecture import measure  # noqa: PLC0415 - most programs measure no code
        from toolkit.tools.code.report import report, summary  # noqa: PLC0415 - as above

        place = await asyncio.to_thread(roots.resolve, path)
        await context.progress(0, 2, "measuring")
        found = await asyncio.to_thread(measure, place, cancelled=context.cancelled.is_set)
        measured, data = report(found), {"measurement": summary(found)}
        await context.progress(1, 2, "asking")
        try:
            reply = await _ask(tk, context, "analyze_architecture", {"measurement": measured, "focus": focus})
        except ToolkitError as error:
            why = f"{error} This is the measurement alone."
            return ToolResult(f"{measured}\n\n({why})", {**data, "analysis": None, "note": why})
        text = f"{reply.text}\n\n{measured}\n\n{provenance(reply)}"
        return ToolResult(text, {"analysis": reply.text, **data, **told(reply)})

    @tool(title="Review code", read_only=True, open_world=True, timeout=_LIMIT, presets=("code",))
    async def review_code(context: ToolContext, code: Code = "", path: File = "", focus: Focus = "") -> ToolResult:
        """Have another model review code; use it for a second pair of eyes. Gives the faults that matter, gravest first, each with its place and repair."""  # noqa: E501 - one paragraph is one description
        given = await _given(roots, code, path)
        return await _read(tk, context, "review_code", given, name=path, also={"focus": focus})

    @tool(title="Document code", read_only=True, open_world=True, timeout=_LIMIT, presets=("code",))
    async def generate_docs(
        context: ToolContext,
        path: File = "",
        code: Code = "",
        style: Annotated[Literal["google", "numpy", "sphinx"], Field(description="Of the docstrings")] = "google",
    ) -> ToolResult:
        """Have another model write docstrings and an introduction for code, as a draft; no file is changed."""
        given = await _given(roots, code, path)
        return await _read(tk, context, "generate_docs", given, name=path, also={"style": style})

    return [analyze_architecture, review_code, generate_docs]


async def _read(
    tk: "Toolkit", context: ToolContext, prompt: str, code: str, *, name: str, also: Mapping[str, str]
) -> ToolResult:
    """Have a model read code with a prompt."""
    shown = await _fitting(tk, prompt, redact(code), also.get("focus", ""))
    await context.progress(0, None, "asking")
    reply = await _ask(tk, context, prompt, {"code": shown.text, "name": name, **also})
    note = f"\n\n(Too long for the model; left out: {_some(shown.left_out)}.)" if shown.left_out else ""
    data: Json = {"text": reply.text, "left_out": list(shown.left_out), **told(reply)}
    return ToolResult(f"{reply.text}{note}\n\n{provenance(reply)}", data)


async def _given(roots: Roots, code: str, path: str) -> str:
    """The code itself, or what is in the file."""
    if code.strip() and path.strip():
        raise ToolError("Give either `code` or `path`, not both.")
    if code.strip():
        return code
    if not path.strip():
        raise ToolError("Give `code`, or the `path` of a file.")
    if keeps_secrets(PurePath(path).name):
        raise ToolError(f"{path} is a file that keys are kept in; it is shown to no model.")
    place, read = await asyncio.to_thread(roots.read, path)
    if keeps_secrets(place.name):  # by a link
        raise ToolError(f"{path} is a file that keys are kept in; it is shown to no model.")
    if not read.strip():
        raise ToolError(f"{path} is empty.")
    return read


async def _fitting(tk: "Toolkit", prompt: str, code: str, focus: str) -> Cut:
    """As much of the code as the models that will be asked can read."""
    candidates = await _speaking(tk, (await tk.prompts.get(prompt)).hints.get("model"))
    windows = [await Outlook.of([model]) for model in candidates]
    known = [outlook.window for outlook in windows if outlook.window]
    most = min(_MOST, int(min(known) * _SHARE)) if known else _USUAL
    name = candidates[0].model
    return await asyncio.to_thread(cut, code, most, lambda text: count_text(text, name), focus=focus)


async def _ask(tk: "Toolkit", context: ToolContext, prompt: str, arguments: Mapping[str, str]) -> Reply:
    """What a model says to a prompt.

    Raises:
        ConfigError: there is none but the last resort, which cannot judge anything.
    """
    hints: Mapping[str, Any] = (await tk.prompts.get(prompt)).hints
    await _speaking(tk, hints.get("model"))
    text = await tk.prompts.render(prompt, **arguments)
    asked = {"timeout": _SECONDS, **hints, "prompt_id": prompt, "user": context.user, "origin": context.origin}
    reply = await tk.complete(text, **asked)
    if _is_last_resort(reply.attempts[-1].provider):
        raise ConfigError(NO_MODEL)
    return reply


async def _speaking(tk: "Toolkit", model: str | None) -> "Sequence[Model]":
    """Who would be asked.

    Raises:
        ConfigError: nobody but the last resort.
    """
    found = [each for each in await tk.models.resolve(model) if not _is_last_resort(each.provider)]
    if not found:
        raise ConfigError(NO_MODEL)
    return found


def _is_last_resort(provider: str) -> bool:
    vendor = providers.find(provider)
    return vendor is not None and vendor.last_resort


def _some(left_out: Sequence[str]) -> str:
    most = 12
    return "; ".join(left_out[:most]) + (f"; and {len(left_out) - most} more" if len(left_out) > most else "")
