"""What Anthropic's models take, by their names."""

from typing import get_args

import pytest
from anthropic.types import ModelParam

from toolkit.providers.wire.claude import (
    has_forms,
    has_forms_at_google,
    is_claude,
    takes_prefill,
    takes_temperature,
    usual_limit,
)

KNOWN: tuple[str, ...] = get_args(get_args(ModelParam)[0])
"""Every name in the SDK."""


def test_of_the_sdks_models_those_up_to_4_6_take_a_temperature() -> None:
    assert {name for name in KNOWN if takes_temperature(name)} == {
        "claude-opus-4-6",
        "claude-sonnet-4-6",
        "claude-haiku-4-5",
        "claude-haiku-4-5-20251001",
        "claude-opus-4-5",
        "claude-opus-4-5-20251101",
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
    }


def test_of_the_sdks_models_those_up_to_4_5_go_on_with_a_text_that_they_have_begun() -> None:
    assert {name for name in KNOWN if takes_prefill(name)} == {name for name in KNOWN if "-4-5" in name}


def test_every_one_of_the_sdks_models_has_forms() -> None:
    assert all(map(has_forms, KNOWN))


@pytest.mark.parametrize(
    ("name", "temperature", "prefill", "forms", "forms_at_google"),
    [
        ("claude-3-5-haiku-latest", True, True, False, False),
        ("anthropic.claude-v2:1", True, True, False, False),
        ("claude-opus-4-20250514", True, True, False, False),
        ("claude-sonnet-4@20250514", True, True, False, False),
        ("claude-opus-4-1@20250805", True, True, False, False),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", True, True, False, False),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", True, True, True, False),
        ("anthropic.claude-opus-4-6-v1:0", True, False, True, True),
        ("claude-opus-4-7", False, False, True, True),
        ("claude-sonnet-4-20", True, True, False, False),
        ("claude-sonnet-5@20260601", False, False, True, True),
        ("claude-opus-10-1", False, False, True, True),
        ("deepseek-v4", False, True, False, False),
    ],
)
def test_a_name_tells_the_same_in_every_cloud(
    name: str, temperature: bool, prefill: bool, forms: bool, forms_at_google: bool
) -> None:
    assert (takes_temperature(name), takes_prefill(name)) == (temperature, prefill)
    assert (has_forms(name), has_forms_at_google(name)) == (forms, forms_at_google)


def test_models_that_may_think_have_room_for_it() -> None:
    assert [usual_limit(name) for name in ("claude-3-haiku-20240307", "claude-haiku-4-5", "m")] == [4096, 16_384, 4096]


def test_other_vendors_models_are_none_of_anthropics() -> None:
    assert is_claude("eu.anthropic.claude-opus-5")
    assert not is_claude("openai.gpt-oss-120b")
