"""A vendor's first model is there once its variables are, and can be asked and paid."""

import pytest

from toolkit.models.facts import facts_of
from toolkit.models.model import Model
from toolkit.models.reach import missing
from toolkit.models.seeds import seeds


def seeded(**environ: str) -> list[str]:
    return [model.provider for _, model in seeds(environ)]


@pytest.mark.parametrize(
    ("environ", "providers"),
    [
        ({}, []),
        ({"OPENAI_API_KEY": "k"}, ["openai"]),
        ({"OPENAI_API_KEYS": "k,l"}, ["openai"]),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:9"}, ["openai"]),
        ({"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, []),
        ({"GOOGLE_API_KEY": "k"}, ["google"]),
        ({"GEMINI_API_KEY": "k"}, ["google"]),
        ({"GROQ_API_KEY": "k", "FIREWORKS_API_KEY": "k"}, ["groq", "fireworks"]),
        ({"GROQ_API_KEY": "", "OLLAMA_BASE_URL": "http://127.0.0.1:9", "AZURE_OPENAI_API_KEY": "k"}, []),
    ],
)
def test_a_vendor_is_seeded_whose_variables_are_there(environ: dict[str, str], providers: list[str]) -> None:
    assert seeded(**environ) == [*providers, "offline"]


def test_every_seed_has_its_place_a_name_that_hides_no_vendor_and_a_known_price() -> None:
    keys = {f"{name}_API_KEY": "k" for name in ("OPENAI", "ANTHROPIC", "GOOGLE", "GROQ", "FIREWORKS")}
    found = list(seeds(keys))

    assert [(model.provider, model.priority) for _, model in found] == [
        ("openai", 500),
        ("anthropic", 510),
        ("google", 520),
        ("groq", 530),
        ("fireworks", 540),
        ("offline", 1000),
    ]
    assert len({change_id for change_id, _ in found}) == len(found)
    for _, model in found:
        facts = facts_of(model)
        assert "/" not in model.name
        assert None not in (facts.input_usd_per_million, facts.output_usd_per_million), model


@pytest.mark.parametrize(
    ("model", "environ", "lacking"),
    [
        (Model("", "a", "openai", "a"), {}, ("OPENAI_API_KEY",)),
        (Model("", "a", "openai", "a"), {"OPENAI_API_KEYS": "k"}, ()),
        (Model("", "a", "openai", "a", auth={"api_key_env": "MY_KEY"}), {"OPENAI_API_KEY": "k"}, ("MY_KEY",)),
        (Model("", "a", "openai", "a", auth={"api_keys_env": "MY_KEYS"}), {"OPENAI_API_KEY": "k"}, ("MY_KEYS",)),
        (Model("", "a", "openai", "a", auth={"api_keys_env": "MY_KEYS"}), {"MY_KEYS": "k,l"}, ()),
        (Model("", "a", "openai", "a", config={"base_url": "http://127.0.0.1:9"}), {}, ()),
        (Model("", "a", "google", "a"), {"GEMINI_API_KEY": "k"}, ()),
        (Model("", "a", "azure", "a"), {"AZURE_OPENAI_API_KEY": "k"}, ("AZURE_OPENAI_ENDPOINT",)),
        (Model("", "a", "azure", "a", config={"endpoint": "https://x.test"}), {"AZURE_OPENAI_API_KEY": "k"}, ()),
        (Model("", "a", "azure", "a", config={"base_url": "https://x.test"}), {}, ()),
        (Model("", "a", "ollama", "a"), {}, ()),
        (Model("", "a", "offline", "a"), {}, ()),
        (Model("", "a", "uninstalled", "a"), {}, ()),
    ],
)
def test_the_variables_that_a_row_lacks_are_known_by_name(
    model: Model, environ: dict[str, str], lacking: tuple[str, ...]
) -> None:
    assert missing(model, environ) == lacking
