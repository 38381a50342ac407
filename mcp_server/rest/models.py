"""The models that may answer, and which of them suits."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query

from mcp_server.rest.shapes import Body, Chatting, Name, Told, told
from toolkit.errors import NotFound
from toolkit.models.facts import facts_of
from toolkit.models.model import Model

router = APIRouter(tags=["Models"], prefix="/api/v1/models")


class ModelTold(Told):
    """A model that may answer, and what is known of it; null is unknown."""

    id: str = told("Its id, which never changes.", "0199c7a0-1c1e-7b60-8000-6f2b1b7d9a55")
    name: str = told("What `model` calls it.", "small")
    provider: str = told("The vendor.", "openai")
    model: str = told("The vendor's name of it.", "gpt-4o-mini")
    scope: str = told("Whose chain it belongs to.", "global")
    priority: int = told("Lower is tried first.", 10)
    enabled: bool = told("Whether it may be asked.", True)
    is_default: bool = told("Whether it is what `default` means in its scope.", False)
    context_window: int | None = told("Tokens that it can read at once.", 128_000)
    max_output: int | None = told("The most tokens of one answer.", 16_384)
    vision: bool | None = told("It takes pictures.", True)
    tools: bool | None = told("It may ask to have tools called.", True)
    structured: bool | None = told("Its vendor sees to the form of an answer.", True)
    input_usd_per_million: float | None = told("US dollars per million tokens that go in.", 0.15)
    output_usd_per_million: float | None = told("The same of those that come out.", 0.6)
    created_at: datetime | None = told("When it was added; null: it has no row.", "2026-03-01T12:00:00Z")
    updated_at: datetime | None = told("When it was last changed.", "2026-03-01T12:00:00Z")


class ModelList(Told):
    """Models by scope, priority and name."""

    models: list[ModelTold] = told("All of them.", [])


class Requirements(Body):
    """What a model must have; what is null, or not there, is not asked for."""

    vision: bool | None = told("It takes pictures.", True, default=None)
    tools: bool | None = told("It calls tools.", True, default=None)
    structured: bool | None = told("Its vendor sees to the form of an answer.", None, default=None)
    context_window: int | None = told("Tokens that it must read, at least.", 100_000, default=None, ge=1, le=10**9)
    max_cost: float | None = told(
        "US dollars per million tokens at most, three read for one written.", 2.5, default=None, ge=0, le=10**6
    )
    provider: Name | None = told("Only this vendor's.", None, default=None)
    prefer: Literal["priority", "cheapest", "largest_context", "fastest"] | None = told(
        "In which order they are wanted; null: that of the chain.", "cheapest", default=None
    )
    cheapest: bool | None = told("Short for `prefer`.", None, default=None)
    largest_context: bool | None = told("Short for `prefer`.", None, default=None)
    fastest: bool | None = told("Short for `prefer`.", None, default=None)


class Selecting(Body):
    """Which model is wanted."""

    requirements: Requirements = told("What it must have.", {"vision": True}, default_factory=Requirements)
    scope: Name = told("Whose chain.", "global", default="global")


class Selected(Told):
    """The models that fit."""

    selected: ModelTold | None = told("The one that suits best; null: none fits.", None)
    models: list[ModelTold] = told("All that fit, the best first.", [])


@router.get("", summary="List the models")
async def every(
    who: Chatting,
    provider: Annotated[Name | None, Query(description="Only this vendor's.", examples=["openai"])] = None,
    enabled: Annotated[bool | None, Query(description="Only those that may be asked, or may not.")] = None,
    scope: Annotated[Name | None, Query(description="Only those of this chain.", examples=["global"])] = None,
) -> ModelList:
    """The table of models; how they are reached and with which keys is not told."""
    return ModelList(models=await _told(await who.tk.models.list(provider=provider, enabled=enabled, scope=scope)))


@router.post("/select", summary="Find the model that suits")
async def select(who: Chatting, wanted: Selecting) -> Selected:
    """The models of the chain that have what is required, those that are preferred first."""
    fitting = await who.tk.models.select(wanted.requirements.model_dump(exclude_none=True), scope=wanted.scope)
    models = await _told(fitting)
    return Selected(selected=models[0] if models else None, models=models)


@router.get("/{model_id:path}", summary="Read a model")
async def read(
    who: Chatting,
    model_id: Annotated[
        Name, Path(description="A name or id, `provider/model`, or `default`.", examples=["openai/gpt-4o-mini"])
    ],
) -> ModelTold:
    """One model, as `model` would mean it."""
    try:
        found = await who.tk.models.get(model_id)
    except NotFound:
        (found,) = await who.tk.models.resolve(model_id)
    return (await _told([found]))[0]


async def _told(models: Sequence[Model]) -> list[ModelTold]:
    # In a thread: the first time the price list is loaded.
    return await asyncio.to_thread(lambda: [_one(model) for model in models])


def _one(model: Model) -> ModelTold:
    facts = facts_of(model)
    fields: dict[str, Any] = {
        name: getattr(facts if hasattr(facts, name) else model, name) for name in ModelTold.model_fields
    }
    if not model.is_listed:
        fields |= {"created_at": None, "updated_at": None}
    return ModelTold(**fields)
