"""OpenAI's list of models, by OpenAI's own client."""

import openai
import pytest

from tests.mcp_server.gateway.conftest import LARGE, SMALL
from tests.mcp_server.inside import Served


async def test_the_models_are_listed_as_they_are_tried_and_one_that_is_all_of_them(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    served.run(served.tk.models.set(SMALL, default=True))
    models = (await client.models.list()).data
    assert [(model.id, model.owned_by, model.object) for model in models] == [
        ("default", "toolkit", "model"),
        (LARGE, "openai", "model"),
        (SMALL, "anthropic", "model"),
    ]
    facts = (models[2].model_extra or {})["toolkit"]
    assert facts == {"model": "claude-haiku-5-5", "scope": "global", "priority": 20, "default": True}
    assert models[1].created > 1_700_000_000


@pytest.mark.parametrize(
    ("name", "id_"), [(LARGE, LARGE), ("gpt-4o", LARGE), ("openai/gpt-9", "openai/gpt-9"), ("default", "default")]
)
async def test_a_model_is_shown_by_whatever_name_it_may_be_asked(
    served: Served, client: openai.AsyncOpenAI, name: str, id_: str
) -> None:
    assert served.url
    assert (await client.models.retrieve(name)).id == id_


async def test_a_model_that_is_not_there_is_not_found(served: Served, client: openai.AsyncOpenAI) -> None:
    assert served.url
    with pytest.raises(openai.NotFoundError, match="no-such"):
        await client.models.retrieve("no-such")


async def test_the_default_is_the_default_model_and_then_the_chain(served: Served, client: openai.AsyncOpenAI) -> None:
    served.run(served.tk.models.set(SMALL, default=True))
    hello = "Hello"
    answer = await client.chat.completions.create(model="default", messages=[{"role": "user", "content": hello}])
    assert answer.model == SMALL
