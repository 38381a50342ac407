"""What is known of a model before it is asked, and that nothing is made up where nothing is known."""

import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest

from toolkit.messages import ChatRequest
from toolkit.models.facts import Facts, can, facts_of, filled
from toolkit.models.families import UNKNOWN, Family, family_of
from toolkit.models.model import Model

NOTHING = Facts(None, None, None, None, None, None, None)


def row(provider: str, model: str, **config: Any) -> Model:
    return Model(id="1", name="m", provider=provider, model=model, config=config)


def test_the_facts_of_a_listed_model_are_the_vendors() -> None:
    # GPT-4o mini: 128,000 tokens, of which it writes 16,384; 0.15 and 0.60 dollars per million; pictures, tools, forms.
    assert facts_of(row("openai", "gpt-4o-mini")) == Facts(128_000, 16_384, True, True, True, 0.15, 0.6)
    # Claude Haiku 4.5: 200,000 tokens, of which it writes 64,000; 1 and 5 dollars per million.
    facts = facts_of(row("anthropic", "claude-haiku-4-5-20251001"))
    assert (facts.context_window, facts.max_output) == (200_000, 64_000)
    assert (facts.input_usd_per_million, facts.output_usd_per_million) == (1.0, 5.0)


def test_a_price_that_rises_with_length_is_told_for_short_questions() -> None:
    # Gemini 2.5 Pro: 1.25 and 10 dollars up to 200,000 tokens, 2.50 and 15 above.
    facts = facts_of(row("google", "gemini-2.5-pro"))

    assert (facts.input_usd_per_million, facts.output_usd_per_million) == (1.25, 10.0)


def test_of_an_unknown_vendor_or_model_nothing_is_known() -> None:
    assert facts_of(row("a-vendor-nobody-knows", "a-model-nobody-knows")) == NOTHING
    assert facts_of(row("openai", "a-model-nobody-knows")) == Facts(None, None, None, None, True, None, None)


def test_a_row_wins_in_every_fact() -> None:
    said = {
        "context_window": 1,
        "max_output": 2,
        "vision": False,
        "tools": False,
        "structured": "tool",
        "input_usd_per_million": 0,
        "output_usd_per_million": 5,
    }

    assert facts_of(row("openai", "gpt-4o-mini", **said)) == Facts(1, 2, False, False, False, 0, 5)


@pytest.mark.parametrize(("word", "native"), [("native", True), ("tool", False), ("instruction", False)])
def test_the_word_for_forms_says_whether_the_vendor_sees_to_them(word: str, native: bool) -> None:
    assert facts_of(row("openai", "gpt-4o-mini", structured=word)).structured is native
    assert facts_of(row("a-vendor-nobody-knows", "m", structured=word)).structured is native


def test_a_row_that_says_one_thing_leaves_the_others() -> None:
    facts = facts_of(row("openai", "gpt-4o-mini", context_window=4_000, temperature=0.5))

    assert facts == Facts(4_000, 16_384, True, True, True, 0.15, 0.6)


def test_what_costs_nothing_is_known_to_cost_nothing() -> None:
    facts = facts_of(row("scripted", "m"))

    assert (facts.input_usd_per_million, facts.output_usd_per_million) == (0.0, 0.0)


def test_a_deployment_has_the_facts_of_the_model_that_its_row_names() -> None:
    deployment = row("openai", "ours", base_model="gpt-3.5-turbo")

    assert facts_of(deployment).context_window == 16_385
    assert not can(deployment, images=True, tools=False)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("gpt-4o-mini-2024-07-18", Family(True, True, 16_384)),
        ("gpt-4o-2024-05-13", Family(True, True, 4_096)),
        ("gpt-4-0613", Family(False, True)),
        ("gpt-35-turbo", Family(False, True, 4_096)),
        ("gpt-5.4-mini", Family(True, True, 128_000)),
        ("gpt-6.1-sol", Family(True, True, 128_000)),
        ("o1-mini", Family(False, False, 65_536)),
        ("o4-mini-2025-04-16", Family(True, True, 100_000)),
        ("openai/gpt-oss-120b", Family(False, True)),
        ("claude-opus-4-20250514", Family(True, True, 32_000)),
        ("claude-opus-4-5@20251101", Family(True, True, 64_000)),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", Family(True, True, 64_000)),
        ("claude-sonnet-5-5", Family(True, True, 128_000)),
        ("claude-2.1", Family(False, False, 4_096)),
        ("gemini-2.5-flash", Family(True, True, 65_536)),
        ("accounts/fireworks/models/llama-v3p1-8b-instruct", Family(False, True)),
        ("meta-llama/llama-4-scout-17b-16e-instruct", Family(True, True)),
        ("llama3.2-vision:11b", Family(vision=True)),
        ("llama3.2:3b", Family(vision=False)),
        ("qwen2.5-vl:7b", Family(vision=True)),
    ],
)
def test_a_family_is_known_under_each_name_that_vendors_give_it(name: str, family: Family) -> None:
    assert family_of(name) == family
    assert family_of(name.upper()) == family


@pytest.mark.parametrize(
    "name",
    [
        "",
        "our-gpt-4o-mini",
        "gpt-7",
        "gpt-4o-transcribe",
        "text-embedding-3-small",
        "gemini-2.5-flash-image",
        "mygpt-4o",
    ],
)
def test_a_name_that_only_looks_like_a_familys_is_unknown(name: str) -> None:
    assert family_of(name) == UNKNOWN


def test_a_model_is_passed_over_only_where_it_is_known_not_to_be_able() -> None:
    blind, mute, unknown = row("openai", "gpt-3.5-turbo"), row("openai", "o1-mini"), row("compatible", "our-own")

    assert not can(blind, images=True, tools=False)
    assert can(blind, images=False, tools=True)
    assert not can(mute, images=False, tools=True)
    assert can(mute, images=False, tools=False)
    assert can(unknown, images=True, tools=True)


def test_a_row_says_what_its_model_can() -> None:
    assert can(row("openai", "gpt-3.5-turbo", vision=True), images=True, tools=True)
    assert not can(row("openai", "gpt-4o", vision=False), images=True, tools=False)
    assert not can(row("compatible", "our-own", tools=False), images=False, tools=True)


def test_what_a_model_can_is_said_without_the_price_list() -> None:
    program = (
        "import sys; from toolkit.models.facts import can; from toolkit.models.model import Model; "
        "assert not can(Model.unlisted('openai', 'o1-mini'), images=True, tools=True); "
        "sys.exit('genai_prices' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_fact_may_be_said_by_a_row() -> None:
    said = {field.name: True for field in fields(Facts)}

    assert facts_of(row("openai", "a-model-nobody-knows", **said)) == Facts(*[True] * len(said))


@pytest.mark.parametrize(
    ("model", "config", "wanted", "asked"),
    [
        ("gpt-4o", {}, 32_000, 16_384),
        ("gpt-4o", {}, 500, 500),
        ("gpt-4o", {}, None, None),
        ("gpt-4o", {"max_tokens": 20_000}, None, 16_384),
        ("my-deployment", {"base_model": "gpt-4o"}, 32_000, 16_384),
        ("my-model", {"max_output": 1_000}, 32_000, 1_000),
        ("my-model", {}, 32_000, 32_000),
    ],
)
def test_a_model_is_asked_for_no_longer_an_answer_than_it_can_give(
    model: str, config: dict[str, Any], wanted: int | None, asked: int | None
) -> None:
    assert filled(row("openai", model, **config), ChatRequest((), max_tokens=wanted)).max_tokens == asked
