"""What a generation is asked: the body of a request, and the keywords of the toolkit that it stands for."""

import json
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from mcp_server import auth
from mcp_server.asker import Asker
from mcp_server.refusals import Refusal
from mcp_server.rest.shapes import Body, Name, Object, Text, told
from toolkit.errors import ToolError
from toolkit.messages import Json

MOST_AT_ONCE: Final = 100
"""Requests of a batch."""


class Said(Body):
    """One thing that was said before."""

    role: Literal["system", "user", "assistant"] = told("Who said it.", "user")
    content: Text = told("What was said.", "Name a city.")
    images: list[Annotated[str, Field(pattern="^(https?:|data:image/)")]] = told(
        "Pictures beside the text: `https:` addresses, or `data:` URLs.", [], default_factory=list, max_length=50
    )


class Generating(Body):
    """A question: exactly one of `prompt` and `template`."""

    prompt: Text | Annotated[list[Said], Field(min_length=1, max_length=1_000)] | None = told(
        "A text, or messages, oldest first.", "Describe a harbour at dawn.", default=None
    )
    template: Name | None = told("The id of a prompt of the library.", None, default=None)
    arguments: Object | None = told("What fills the template's gaps; null: `context` does.", None, default=None)
    context: Object = told("Data that the model is told before the prompt.", {"genre": "noir"}, default_factory=dict)
    system: Text | None = told("Instructions for this answer.", "Be brief.", default=None)
    model: Name | None = told("A model's name, or `provider/model`; null: the chain.", "small", default=None)
    fallbacks: Literal["chain"] | Annotated[list[Name], Field(max_length=50)] | None = told(
        "Models to try after `model`.", None, default=None
    )
    requirements: Object | None = told("What a model must have to be asked, as for select.", None, default=None)
    scope: Name = told("Whose chain.", "global", default="global")
    session_id: Name | None = told("The session that it continues and is kept in.", None, default=None)
    tools: list[Name] = told(
        "Tools of the server that the model may have called.", [], default_factory=list, max_length=128
    )
    response_schema: Object | None = told("JSON Schema that the answer must fit.", None, default=None)
    temperature: float | None = told("0 to 2; null: the vendor's.", 0.7, default=None, ge=0, le=2)
    max_tokens: int | None = told("An upper bound on the answer's length.", 500, default=None, ge=1, le=1_000_000)
    stop: list[Name] = told("Texts at which the answer ends.", [], default_factory=list, max_length=16)
    seed: int | None = told("For vendors that can repeat an answer.", None, default=None, ge=-(2**63), le=2**63 - 1)
    cache: bool | Literal["refresh"] | None = told(
        "Give the answer of the same question again; null: as TOOLKIT_CACHE_TTL says.", None, default=None
    )
    queue: float = told("Seconds to wait, at most, where a limit is used up.", 0.0, default=0.0, ge=0, le=60)
    timeout: float = told("Seconds for everything together.", 60.0, default=60.0, ge=1, le=600)

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.prompt is None) == (self.template is None):
            raise ValueError("give either prompt or template")
        if self.template is None and self.arguments is not None:
            raise ValueError("arguments fill a template; there is none")
        return self


class Generate(Generating):
    """A question, asked now or in the background."""

    background: bool = told("Answer 202 at once, and keep the answer.", False, default=False)


class GenerateStream(Generating):
    """A question that is answered piece by piece."""

    on_interrupt: Literal["continue", "restart", "raise"] = told(
        "Where an answer breaks off: the next model goes on, begins again, or the stream ends with an error.",
        "continue",
        default="continue",
    )


class GenerateBatch(Body):
    """Several questions."""

    requests: list[Generating] = told(
        "The questions.", [{"prompt": "Name a city."}], min_length=1, max_length=MOST_AT_ONCE
    )
    concurrency: int = told("How many are asked at once.", 8, default=8, ge=1, le=32)
    background: bool = told("Answer 202 at once, and keep the answers.", False, default=False)


async def keywords(who: Asker, wanted: Generating) -> Json:
    """The keywords of `Toolkit.complete`, `prompt` among them.

    Raises:
        Refusal: the token may not have one of the tools called.
        NotFound: no such template or tool.
        ConfigError: the template cannot be filled so.
    """
    allowed(who, wanted.tools)
    plain = ("system", "model", "scope", "temperature", "max_tokens", "seed", "queue", "timeout", "requirements")
    given = {name: getattr(wanted, name) for name in plain}
    given |= {"session": wanted.session_id, "cache": wanted.cache, "response_model": wanted.response_schema}
    several = {"tools": wanted.tools, "stop": wanted.stop, "fallbacks": wanted.fallbacks}
    said = {name: value for name, value in {**given, **several}.items() if value not in (None, [])}
    caller = {"user": who.user, "origin": who.origin, "authenticated": who.who.authenticated}
    return {**await _question(who, wanted), **said, **caller}


async def _question(who: Asker, wanted: Generating) -> Json:
    context: Json = wanted.context
    hints: Json = {}
    prompt: list[Json]
    if wanted.template is not None:
        filling = context if wanted.arguments is None else wanted.arguments
        context = {} if wanted.arguments is None else context
        hints = {**(await who.tk.prompts.get(wanted.template)).hints, "prompt_id": wanted.template}
        prompt = [{"role": "user", "text": await who.tk.prompts.render(wanted.template, **filling)}]
    elif isinstance(wanted.prompt, str):
        prompt = [{"role": "user", "text": wanted.prompt}]
    else:
        prompt = [{"role": each.role, "text": each.content, "images": each.images} for each in wanted.prompt or ()]
    if context:
        prompt = [{"role": "system", "text": json.dumps({"context": context}, ensure_ascii=False)}, *prompt]
    return {**hints, "prompt": prompt}


def allowed(who: Asker, names: list[str]) -> None:
    """Let tools be called by a model on the asker's behalf: with every scope that any arguments may need.

    Raises:
        Refusal: the token is not good for one of them.
        NotFound: there is no such tool.
    """
    for name in names:
        tool = who.tk.tools.get(name)
        try:
            auth.allow(who.who, tool, dict.fromkeys(tool.parameters.get("properties", ()), "anything"))
        except ToolError as error:
            raise Refusal(403, str(error), "missing_scope", "tools") from error
