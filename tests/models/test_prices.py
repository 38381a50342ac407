"""What an answer costs is what the vendor publishes, or it is null; a row's own price wins."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from genai_prices.data_snapshot import get_snapshot

from toolkit import providers
from toolkit.messages import Usage
from toolkit.models.prices import cost_nano_usd
from toolkit.models.seeds import seeds

MILLION = Usage(1_000_000, 1_000_000)
NOW = datetime(2026, 11, 21, tzinfo=UTC)  # the published prices below are of that day; some of them end soon after
OWN = {"input_usd_per_million": 0.1, "output_usd_per_million": 2}


def dollars(provider: str, model: str, usage: Usage, *, tier: str | None = None, at: datetime = NOW) -> float | None:
    nano = cost_nano_usd(provider, model, usage, {}, tier=tier, at=at)
    return None if nano is None else nano / 1e9


# What the vendors publish: platform.claude.com/docs/en/about-claude/pricing, developers.openai.com/api/docs/pricing,
# ai.google.dev/gemini-api/docs/pricing, groq.com/pricing, fireworks.ai/pricing, aws.amazon.com/bedrock/pricing.


def test_openai_takes_less_for_what_it_read_from_its_cache() -> None:
    # gpt-4o-mini: 0.15 dollars per million in, 0.075 of them cached, 0.60 out. 2,006 tokens in, 1,920 cached, 300 out.
    assert dollars("openai", "gpt-4o-mini", Usage(2_006, 300, 1_920)) == (86 * 0.15 + 1_920 * 0.075 + 300 * 0.6) / 1e6
    # gpt-5: 1.25 in, 0.125 cached, 10 out.
    assert dollars("openai", "gpt-5", Usage(1_000_000, 0, 1_000_000)) == 0.125


def test_openai_takes_more_for_what_it_wrote_to_its_cache_since_gpt_5_6() -> None:
    # gpt-6-sol: 2 dollars in, 0.20 read from the cache, 2.50 written to it, 10 out.
    assert dollars("openai", "gpt-6-sol", Usage(10_000, 100, 4_000, 5_000)) == pytest.approx(
        (1_000 * 2 + 4_000 * 0.2 + 5_000 * 2.5 + 100 * 10) / 1e6
    )


def test_thoughts_are_billed_once_as_part_of_the_output() -> None:
    # o3: 2 dollars in, 8 out; 900 of the 1,000 tokens out were thought.
    assert dollars("openai", "o3", Usage(1_000, 1_000, reasoning_tokens=900)) == (1_000 * 2 + 1_000 * 8) / 1e6


@pytest.mark.parametrize(
    ("tier", "into", "out"),
    [(None, 1.25, 10.0), ("default", 1.25, 10.0), ("flex", 0.625, 5.0), ("priority", 2.5, 20.0), ("batch", 0.625, 5.0)],
)
def test_openais_tiers_have_prices_of_their_own(tier: str | None, into: float, out: float) -> None:
    # gpt-5: half in a batch and in flex, twice as much with priority.
    assert dollars("openai", "gpt-5", MILLION, tier=tier) == into + out


def test_openais_long_questions_cost_more_from_the_first_token_on() -> None:
    # gpt-6-sol: above 272,000 tokens in, twice as much in and one and a half times as much out.
    assert dollars("openai", "gpt-6-sol", Usage(272_000, 1_000)) == (272_000 * 2 + 1_000 * 10) / 1e6
    assert dollars("openai", "gpt-6-sol", Usage(272_001, 1_000)) == (272_001 * 4 + 1_000 * 15) / 1e6


def test_openais_sound_has_a_price_of_its_own() -> None:
    # gpt-audio: text 2.50 in and 10 out, sound 32 in and 64 out. 200 of the 1,000 in and 300 of the 500 out were sound.
    usage = Usage(1_000, 500, input_audio_tokens=200, output_audio_tokens=300)

    assert dollars("openai", "gpt-audio", usage) == (800 * 2.5 + 200 * 32 + 200 * 10 + 300 * 64) / 1e6


def test_openais_pictures_cost_what_text_costs_in_a_chat() -> None:
    # gpt-4o: 2.50 dollars in, whether words or pictures.
    assert dollars("openai", "gpt-4o", Usage(1_000, 0, input_image_tokens=765)) == 1_000 * 2.5 / 1e6


def test_openais_pictures_may_have_a_price_of_their_own() -> None:
    # gpt-realtime: text 4 dollars in and 16 out, pictures 5 in.
    assert dollars("openai", "gpt-realtime", Usage(1_000, 100, input_image_tokens=600)) == pytest.approx(
        (400 * 4 + 600 * 5 + 100 * 16) / 1e6
    )


def test_an_embedding_costs_what_goes_in() -> None:
    # text-embedding-3-small: 0.02 dollars per million.
    assert dollars("openai", "text-embedding-3-small", Usage(1_000_000)) == 0.02


def test_anthropics_example_of_an_answer_costs_half_in_a_batch() -> None:
    # Claude Opus 5.5: 4 dollars in, 20 out. 5,000 in and 800 out are 0.036, and 0.018 in a batch.
    assert dollars("anthropic", "claude-opus-5-5", Usage(5_000, 800)) == 0.036
    assert dollars("anthropic", "claude-opus-5-5", Usage(5_000, 800), tier="batch") == 0.018


def test_anthropics_cache_costs_more_to_write_the_longer_it_lasts_and_less_to_read() -> None:
    # Claude Haiku 4.5: 1 dollar in, 1.25 written for 5 minutes, 2 for an hour, 0.10 read, 5 out.
    def haiku(**counts: int) -> float | None:
        return dollars("anthropic", "claude-haiku-4-5", Usage(1_000_000, **counts))

    assert haiku() == 1.0
    assert haiku(cache_write_tokens=1_000_000) == 1.25
    assert haiku(cache_write_tokens=1_000_000, cache_write_1h_tokens=1_000_000) == 2.0
    assert haiku(cached_tokens=1_000_000) == 0.1
    # 100,000 new, 500,000 read, 300,000 written for minutes and 100,000 for an hour.
    assert haiku(cached_tokens=500_000, cache_write_tokens=400_000, cache_write_1h_tokens=100_000) == pytest.approx(
        0.1 * 1 + 0.5 * 0.1 + 0.3 * 1.25 + 0.1 * 2
    )


def test_anthropics_batch_halves_the_cache_too() -> None:
    # Claude Sonnet 5.5: 2 dollars in, 2.50 and 4 written, 0.10 read, 10 out; half of each in a batch.
    usage = Usage(1_000_000, 100_000, 200_000, 400_000, cache_write_1h_tokens=100_000)

    whole = 0.4 * 2 + 0.2 * 0.1 + 0.3 * 2.5 + 0.1 * 4 + 0.1 * 10
    assert dollars("anthropic", "claude-sonnet-5-5", usage) == pytest.approx(whole)
    assert dollars("anthropic", "claude-sonnet-5-5", usage, tier="batch") == pytest.approx(whole / 2)


def test_anthropics_long_questions_cost_more_with_all_that_was_cached_counted() -> None:
    # Claude Sonnet 4.5: 3 dollars in, 0.30 read, 15 out; above 200,000 tokens in, cached ones included, 6, 0.60, 22.50.
    model = "claude-sonnet-4-5"
    assert dollars("anthropic", model, Usage(200_000, 1_000, 150_000)) == pytest.approx(
        (50_000 * 3 + 150_000 * 0.3 + 1_000 * 15) / 1e6
    )
    assert dollars("anthropic", model, Usage(200_001, 1_000, 150_000)) == pytest.approx(
        (50_001 * 6 + 150_000 * 0.6 + 1_000 * 22.5) / 1e6
    )


@pytest.mark.parametrize("tier", ["standard", "STANDARD", None])
def test_anthropics_standard_tier_is_the_usual_price(tier: str | None) -> None:
    assert dollars("anthropic", "claude-haiku-4-5", MILLION, tier=tier) == 6.0


def test_anthropics_fast_answers_cost_twice_as_much() -> None:
    # Claude Opus 5.5: 8 dollars in and 40 out with `speed: fast`.
    assert dollars("anthropic", "claude-opus-5-5", MILLION, tier="fast") == 48.0


def test_googles_long_questions_cost_more() -> None:
    # Gemini 2.5 Pro: 1.25 in, 0.125 cached, 10 out up to 200,000 tokens in; 2.50, 0.25 and 15 above.
    assert dollars("google", "gemini-2.5-pro", Usage(200_000, 1_000, 100_000)) == pytest.approx(0.125 + 0.0125 + 0.01)
    assert dollars("google", "gemini-2.5-pro", Usage(300_000, 1_000, 100_000)) == pytest.approx(0.5 + 0.025 + 0.015)


def test_googles_sound_has_a_price_of_its_own_where_google_has_one() -> None:
    # Gemini 2.5 Flash: 0.30 dollars in for words, pictures and films, 1.00 for sound, 2.50 out.
    usage = Usage(1_000, 100, input_image_tokens=300, input_audio_tokens=500)
    assert dollars("google", "gemini-2.5-flash", usage) == pytest.approx((500 * 0.3 + 500 * 1 + 100 * 2.5) / 1e6)
    # Gemini 4 Argon: 2 dollars in, whatever it is, and 10 out.
    assert dollars("google", "gemini-4-argon", usage) == (1_000 * 2 + 100 * 10) / 1e6


def test_googles_names_may_have_their_folder_before_them() -> None:
    assert dollars("google", "models/gemini-2.5-pro", Usage(1_000)) == dollars("google", "gemini-2.5-pro", Usage(1_000))


def test_groqs_flex_costs_what_on_demand_costs() -> None:
    # openai/gpt-oss-120b: 0.15 dollars in, 0.075 cached, 0.60 out; half in a batch.
    usage = Usage(1_000_000, 1_000_000, 500_000)
    for tier in (None, "on_demand", "flex", "auto"):
        assert dollars("groq", "openai/gpt-oss-120b", usage, tier=tier) == pytest.approx(0.075 + 0.0375 + 0.6)
    assert dollars("groq", "openai/gpt-oss-120b", MILLION, tier="batch") == 0.375
    # llama-3.3-70b-versatile: 0.59 in and 0.79 out.
    assert dollars("groq", "llama-3.3-70b-versatile", MILLION) == 1.38


@pytest.mark.parametrize("name", ["accounts/fireworks/models/kimi-k3", "kimi-k3"])
def test_fireworks_models_have_their_price_under_both_their_names(name: str) -> None:
    # Kimi K3: 3 dollars in, 0.30 cached, 15 out.
    assert dollars("fireworks", name, Usage(1_000_000, 1_000_000, 500_000)) == pytest.approx(1.5 + 0.15 + 15)


def test_azure_takes_openais_prices() -> None:
    # gpt-4o: 2.50 dollars in, 1.25 cached, 10 out.
    assert dollars("azure", "gpt-4o", Usage(1_000_000, 1_000_000, 500_000)) == 1.25 + 0.625 + 10
    assert dollars("azure", "gpt-35-turbo", MILLION) == 2.0


def test_azures_tiers_are_not_openais() -> None:
    assert dollars("azure", "gpt-5", MILLION, tier="default") == 11.25
    assert dollars("azure", "gpt-5", MILLION, tier="priority") is None


def test_a_deployment_has_the_price_of_the_model_that_its_row_names() -> None:
    assert cost_nano_usd("azure", "ours", MILLION, {"base_model": "gpt-4o"}, at=NOW) == 12_500_000_000
    assert cost_nano_usd("azure", "ours", MILLION, {}, at=NOW) is None


@pytest.mark.parametrize(
    ("model", "into"),
    [
        ("global.anthropic.claude-sonnet-5-5", 2.0),
        ("us.anthropic.claude-sonnet-5-5", 2.2),
        ("eu.anthropic.claude-sonnet-5-5", 2.2),
        ("anthropic.claude-sonnet-5-5", 2.2),
        ("arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-5-5", 2.2),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", 3.0),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 3.3),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", 15.0),
    ],
)
def test_amazon_takes_a_tenth_more_for_a_region_since_claude_4_5(model: str, into: float) -> None:
    # Claude Sonnet 5.5: 2 dollars in from anywhere; Sonnet 4.5: 3; Opus 4.1: 15 everywhere. An id without a place
    # before it is answered in the region that was asked.
    assert dollars("bedrock", model, Usage(1_000_000)) == pytest.approx(into)


@pytest.mark.parametrize("region", ["us-east5", "eu"])
def test_google_takes_a_tenth_more_for_claude_in_a_region_since_claude_4_5(region: str) -> None:
    def vertex(model: str, **config: Any) -> int | None:
        return cost_nano_usd("vertex", model, Usage(1_000_000, 1_000_000, 500_000), config, at=NOW)

    # Claude Sonnet 5.5: 2 dollars in, 0.10 read from the cache, 10 out, at the global address.
    assert vertex("claude-sonnet-5-5") == vertex("claude-sonnet-5-5", region="global") == 11_050_000_000
    assert vertex("claude-sonnet-5-5", region=region) == 12_155_000_000
    # Claude Opus 4.1: 15, 1.50 and 75; Gemini 2.5 Flash: 0.30, 0.03 and 2.50; each everywhere.
    assert vertex("claude-opus-4-1@20250805", region=region) == 83_250_000_000
    assert vertex("gemini-2.5-flash", region=region) == 2_665_000_000


def test_anthropic_takes_a_tenth_more_for_an_answer_from_the_usa() -> None:
    config = {"extra": {"inference_geo": "us"}}

    # Claude Sonnet 5.5: 2 dollars in, 10 out. Claude Haiku 4.5 cannot be asked so.
    assert cost_nano_usd("anthropic", "claude-sonnet-5-5", MILLION, config, at=NOW) == 13_200_000_000
    assert cost_nano_usd("anthropic", "claude-haiku-4-5", MILLION, config, at=NOW) == 6_000_000_000


def test_a_price_is_that_of_the_day() -> None:
    # o3 fell from 10 and 40 dollars to 2 and 8 on 10 June 2025, in UTC.
    assert dollars("openai", "o3", MILLION, at=datetime(2025, 6, 9, 23, 59, tzinfo=UTC)) == 50.0
    assert dollars("openai", "o3", MILLION, at=datetime(2025, 6, 10, tzinfo=UTC)) == 10.0


def test_a_tiers_price_is_unknown_before_it_was_published() -> None:
    assert dollars("openai", "gpt-5", MILLION, tier="flex", at=datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_the_list_has_every_vendor_that_says_its_prices_are_there() -> None:
    there = {vendor.prices for name in providers.known() if (vendor := providers.find(name)) and vendor.prices}

    assert there >= {"openai", "anthropic", "azure", "google", "groq", "fireworks", "aws"}
    assert there <= {theirs.id for theirs in get_snapshot().providers}


def test_the_default_models_of_the_seeds_have_a_price() -> None:
    environ = {"OPENAI_API_KEY": "x", "ANTHROPIC_API_KEY": "x"}

    costs = [cost_nano_usd(model.provider, model.model, MILLION, {}) for _, model in seeds(environ)]

    assert len(costs) >= 2
    assert None not in costs


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [
        ("openai", "a-model-nobody-knows", MILLION),
        ("a-vendor-nobody-knows", "gpt-4o-mini", MILLION),
        ("compatible", "gpt-4o-mini", MILLION),
        ("openai", "gpt-4o-mini", None),
        ("openai", "whisper-1", Usage(10, 10)),  # paid by the hour
        ("openai", "text-embedding-3-small", Usage(10, 10)),  # no price for what it does not do
        ("openai", "gpt-4o-audio-preview", Usage(10, 10, input_audio_tokens=5)),  # listed without its price for sound
        ("openai", "gpt-4o", Usage(10, 10, output_audio_tokens=5)),
        ("google", "gemini-2.5-flash-image", Usage(10, 10)),  # how much of it was a picture, nobody says
        ("google", "gemini-2.5-flash", Usage(10, 0, 5, input_audio_tokens=5)),  # nor how much of the sound was cached
        ("google", "claude-3-5-haiku", Usage(10, 0, 0, 5, cache_write_1h_tokens=5)),  # listed for minutes only
    ],
)
def test_an_unknown_price_is_null_and_never_zero(provider: str, model: str, usage: Usage | None) -> None:
    assert cost_nano_usd(provider, model, usage, {}) is None


@pytest.mark.parametrize("tier", ["scale", "reserved", "a-tier-nobody-knows"])
def test_the_price_of_an_unknown_tier_is_null(tier: str) -> None:
    assert dollars("openai", "gpt-5", MILLION, tier=tier) is None
    assert dollars("anthropic", "claude-haiku-4-5", MILLION, tier=tier) is None


@pytest.mark.parametrize(
    "usage",
    [
        Usage(-1, 0),
        Usage(0, -1),
        Usage(10, 10, cached_tokens=-1),
        Usage(10, 10, reasoning_tokens=-1),
        Usage(10, 0, cached_tokens=20),
        Usage(10, 0, cached_tokens=6, cache_write_tokens=5),
        Usage(10, 0, cache_write_tokens=5, cache_write_1h_tokens=6),
        Usage(10, 5, reasoning_tokens=6),
        Usage(10, 5, input_image_tokens=11),
        Usage(10, 5, input_image_tokens=6, input_audio_tokens=5),
        Usage(10, 5, output_audio_tokens=6),
        Usage(2**63, 2**63),
    ],
)
@pytest.mark.parametrize("config", [{}, OWN])
def test_a_count_that_cannot_be_has_no_price(usage: Usage, config: dict[str, Any]) -> None:
    assert cost_nano_usd("openai", "gpt-5", usage, config, at=NOW) is None


def test_no_tokens_cost_nothing_where_the_price_is_known() -> None:
    assert cost_nano_usd("openai", "gpt-4o-mini", Usage(), {}) == 0
    assert cost_nano_usd("openai", "a-model-nobody-knows", Usage(), {}) is None


def test_what_a_vendor_gives_away_costs_nothing() -> None:
    # The Gemini API serves Gemma 4 without a paid tier.
    assert dollars("google", "gemma-4-31b-it", MILLION) == 0


@pytest.mark.parametrize("provider", ["offline", "scripted"])
def test_what_asks_no_vendor_is_free(provider: str) -> None:
    assert cost_nano_usd(provider, "extractive", None, {}) == 0
    assert cost_nano_usd(provider, "extractive", Usage(-1), {}) == 0


def test_a_rows_own_price_wins_over_the_list() -> None:
    assert cost_nano_usd("openai", "gpt-4o-mini", Usage(3, 1), OWN) == 2_300
    assert cost_nano_usd("openai", "a-model-nobody-knows", Usage(3, 1), OWN) == 2_300
    assert cost_nano_usd("compatible", "gpt-4o-mini", Usage(3, 1), OWN) == 2_300
    assert cost_nano_usd("scripted", "m", Usage(3, 1), OWN) == 2_300


def test_a_rows_own_price_holds_for_each_tier_and_length() -> None:
    usage = Usage(1_000_000, 1_000_000)

    for tier in (None, "flex", "a-tier-nobody-knows"):
        assert cost_nano_usd("openai", "gpt-6-sol", usage, OWN, tier=tier, at=NOW) == 2_100_000_000


def test_a_row_that_says_nothing_of_the_cache_means_the_price_of_input() -> None:
    usage = Usage(1_000_000, 0, 300_000, 300_000, cache_write_1h_tokens=100_000)

    assert cost_nano_usd("anthropic", "claude-haiku-4-5", usage, OWN) == 100_000_000


def test_a_row_says_the_price_of_the_cache() -> None:
    config = {**OWN, "cached_input_usd_per_million": 0.01, "cache_write_usd_per_million": 0.5}
    usage = Usage(1_000_000, 0, 300_000, 300_000, cache_write_1h_tokens=100_000)

    assert cost_nano_usd("compatible", "m", usage, config) == 40_000_000 + 3_000_000 + 150_000_000


@pytest.mark.parametrize(
    ("config", "nano"),
    [
        # gpt-4o-mini: 0.15 dollars in, 0.075 cached, 0.60 out. 500,000 new, 500,000 cached, 1,000,000 out.
        ({"output_usd_per_million": 1}, 75_000_000 + 37_500_000 + 1_000_000_000),
        ({"input_usd_per_million": 1}, 1_000_000_000 + 600_000_000),
        ({"cached_input_usd_per_million": 0}, 75_000_000 + 600_000_000),
    ],
)
def test_a_row_that_says_one_price_leaves_the_others_to_the_list(config: dict[str, Any], nano: int) -> None:
    assert cost_nano_usd("openai", "gpt-4o-mini", Usage(1_000_000, 1_000_000, 500_000), config, at=NOW) == nano


@pytest.mark.parametrize("config", [{"input_usd_per_million": 1}, {"output_usd_per_million": 1}])
def test_half_a_price_is_none_where_the_other_half_was_used(config: dict[str, Any]) -> None:
    assert cost_nano_usd("openai", "a-model-nobody-knows", MILLION, config) is None


def test_half_a_price_is_enough_for_an_embedding() -> None:
    assert cost_nano_usd("compatible", "our-vectors", Usage(1_000_000), {"input_usd_per_million": 1}) == 10**9


@pytest.mark.parametrize("value", ["cheap", -1, float("nan"), float("inf"), True, [1]])
def test_a_rows_price_that_is_no_number_is_unknown(value: Any) -> None:
    config = {"input_usd_per_million": value, "output_usd_per_million": value}

    assert cost_nano_usd("openai", "gpt-4o-mini", MILLION, config) is None


def test_a_row_with_another_address_keeps_the_vendors_price() -> None:
    config = {"base_url": "https://gateway.example.org/v1"}

    assert cost_nano_usd("openai", "gpt-4o-mini", MILLION, config) == 750_000_000


@pytest.mark.parametrize(
    "asked", ["'compatible', 'm', Usage(1), {}", "'scripted', 'm', Usage(1), {}", "'openai', 'o3', Usage(1), OWN"]
)
def test_the_list_is_loaded_only_for_those_who_pay_by_it(asked: str) -> None:
    program = (
        "import sys; from toolkit.messages import Usage; from toolkit.models.prices import cost_nano_usd; "
        f"OWN = {OWN}; cost_nano_usd({asked}); sys.exit('genai_prices' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
