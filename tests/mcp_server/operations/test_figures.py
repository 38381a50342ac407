"""What is counted, and under which names."""

from prometheus_client import CollectorRegistry, generate_latest

from mcp_server.operations.figures import MOST_NAMES, OTHER, HttpFigures, Names
from tests.mcp_server.operations.conftest import Inside, by_name
from toolkit.testing.faults import Fault
from toolkit.usage.watching import Told


async def test_an_answer_counts_its_tokens_its_cost_and_its_time_by_model(inside: Inside) -> None:
    reply = await inside.tk.complete("What is the capital of France?")
    found = await inside.figures()
    assert found["toolkit_model_calls_total/chat/large/ok/openai"] == 1
    assert found["toolkit_tokens_total/large/input"] == reply.usage.input_tokens
    assert found["toolkit_tokens_total/large/output"] == reply.usage.output_tokens
    assert found["toolkit_cost_usd_total/large"] == reply.cost_usd
    assert found["toolkit_model_answer_seconds_count/large"] == 1
    assert "toolkit_model_first_token_seconds_count/large" not in found


async def test_a_stream_counts_the_time_to_its_first_words(inside: Inside) -> None:
    async for _ in inside.tk.stream("Slowly, please."):
        pass
    found = await inside.figures()
    assert found["toolkit_model_first_token_seconds_count/large"] == 1
    assert found["toolkit_model_calls_total/stream/large/ok/openai"] == 1


async def test_a_failure_counts_a_retry_and_a_fallback_by_the_model_that_was_left(inside: Inside) -> None:
    inside.vendors.fail("openai", Fault.status(503, "The engine is overheated."))
    reply = await inside.tk.complete("Anyone?")
    found = await inside.figures()
    failed = [attempt for attempt in reply.attempts if not attempt.ok]
    assert found["toolkit_model_calls_total/chat/large/ProviderUnavailable/openai"] == len(failed) == 2
    assert found["toolkit_retries_total/large"] == 1
    assert found["toolkit_fallbacks_total/large"] == 1
    assert found["toolkit_model_calls_total/chat/small/ok/anthropic"] == 1


async def test_a_breaker_that_opens_is_seen(inside: Inside) -> None:
    inside.vendors.fail("openai", Fault.status(401, "Who are you?"))
    await inside.tk.complete("Anyone?")
    found = await inside.figures()
    assert found["toolkit_breaker_keys/large/open"] == 1
    assert found["toolkit_breaker_keys/small/closed"] == 1


async def test_the_cache_counts_hits_and_misses_and_a_hit_asks_no_model(inside: Inside) -> None:
    for _ in range(3):
        await inside.tk.complete("Again?", cache=True)
    found = await inside.figures()
    assert (found["toolkit_cache_hits_total"], found["toolkit_cache_misses_total"]) == (2, 1)
    assert found["toolkit_model_calls_total/chat/large/ok/openai"] == 1


async def test_a_refusal_of_the_limits_counts_by_whose_limit_it_is_and_not_by_whom(inside: Inside) -> None:
    await inside.tk.limits.set("user", "ada", rpm=1)
    answers = [
        await inside.http.post(
            "/v1/chat/completions", json={"messages": [{"role": "user", "content": "?"}]}, headers={"X-User-Id": "ada"}
        )
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 429]
    scraped = (await inside.http.get("/metrics")).text
    assert by_name(scraped)["toolkit_limit_refusals_total/user/requests"] == 1
    assert by_name(scraped)["toolkit_http_requests_total/POST//v1/chat/completions/4xx"] == 1
    assert "ada" not in scraped


async def test_a_model_that_is_not_in_the_table_has_no_label_of_its_own(inside: Inside) -> None:
    await inside.tk.complete("Anyone?", model="openai/some-name-of-a-client")
    scraped = (await inside.http.get("/metrics")).text
    assert by_name(scraped)[f"toolkit_model_calls_total/chat/{OTHER}/ok/openai"] == 1
    assert "some-name-of-a-client" not in scraped


def test_more_names_than_a_hundred_share_a_label() -> None:
    names = Names()
    labels = [names.label(f"model {n}") for n in range(MOST_NAMES + 5)]
    assert labels[:MOST_NAMES] == [f"model {n}" for n in range(MOST_NAMES)]
    assert set(labels[MOST_NAMES:]) == {OTHER}
    assert names.label("model 0") == names.known("model 0") == "model 0"
    assert names.known("never seen") == OTHER


def test_requests_fall_into_the_buckets_of_their_route_and_all_into_the_last() -> None:
    registry = CollectorRegistry()
    figures = HttpFigures(registry)
    for seconds in (0.001, 0.005, 0.3, 100.0):
        figures.note("GET", "/health", 200, seconds)
    found = by_name(generate_latest(registry).decode())
    name = "toolkit_http_request_seconds"
    buckets = [found[f"{name}_bucket/{bound}//health"] for bound in ("0.005", "0.25", "0.5", "60.0", "+Inf")]
    assert buckets == [2, 2, 3, 3, 4]
    assert (found[f"{name}_count//health"], found[f"{name}_sum//health"]) == (4, 100.306)


def test_a_method_that_nobody_knows_shares_a_label() -> None:
    registry = CollectorRegistry()
    HttpFigures(registry).note("BREW", "none", 405, 0.1)
    assert by_name(generate_latest(registry).decode())[f"toolkit_http_requests_total/{OTHER}/none/4xx"] == 1


async def test_a_tool_counts_by_how_its_call_ended(inside: Inside) -> None:
    await inside.tk.tools.call("list_collections", {})
    assert (await inside.figures())["toolkit_tool_calls_total/ok/list_collections"] == 1


async def test_a_watcher_that_fails_breaks_no_answer(inside: Inside) -> None:
    def fail(_told: Told) -> None:
        raise RuntimeError("The gauge is broken.")

    heard: list[Told] = []
    inside.tk.usage.watchers.add(fail)
    inside.tk.usage.watchers.add(heard.append)
    assert (await inside.tk.complete("Still there?")).text
    assert heard, "those behind it are told all the same"
