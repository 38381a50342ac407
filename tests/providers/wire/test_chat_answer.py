"""An answer over OpenAI's chat completions, in the words of every server that has words of its own."""

from typing import Any

import pytest

from toolkit.errors import BadAnswer, ContentRefused
from toolkit.messages import Completion, Delta, Embeddings, FinishReason, Message, ToolCall, Usage
from toolkit.providers.wire.chat_answer import Answer, embeddings, usage_of


def read(*events: dict[str, Any], answer: Answer | None = None) -> Completion:
    answer = answer or Answer("x", "chat")
    for event in events:
        answer.feed(event)
    return answer.completion(None)


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def test_parallel_calls_that_a_server_counts_all_as_the_first_are_told_apart_by_their_ids() -> None:
    calls = [{"index": 0, "id": key, "function": {"name": "f", "arguments": f'{{"x": "{key}"}}'}} for key in "ab"]
    answer = read(chunk(tool_calls=[calls[0]]), chunk(tool_calls=[calls[1]]), chunk("tool_calls"))
    assert [call.arguments for call in answer.message.tool_calls] == [{"x": "a"}, {"x": "b"}]


def test_the_likelihoods_of_tokens_are_passed_on_with_each_piece_and_are_whole_in_the_end() -> None:
    answer = Answer("x", "chat")
    pieces = [{"content": [{"token": token, "logprob": -0.1}], "refusal": None} for token in ("a", "b")]
    deltas = []
    for said, reason in zip(pieces, (None, "stop"), strict=True):
        choice = {"index": 0, "delta": {"content": "x"}, "logprobs": said, "finish_reason": reason}
        deltas.append(answer.feed({"choices": [choice]}))
    assert [delta and delta.extra for delta in deltas] == [{"logprobs": said} for said in pieces]
    whole = answer.completion(None).extra
    assert whole == {"logprobs": {"content": [{"token": t, "logprob": -0.1} for t in "ab"], "refusal": None}}
    assert read(chunk("stop", content="x")).extra is None


def test_calls_without_an_index_or_an_id_or_with_arguments_as_an_object_are_understood() -> None:
    calls = [{"function": {"name": "f", "arguments": {"x": 1}}}, {"function": {"name": "g"}}]
    answer = read(chunk("stop", tool_calls=calls))
    assert [(call.name, call.arguments) for call in answer.message.tool_calls] == [("f", {"x": 1}), ("g", {})]
    assert len({call.id for call in answer.message.tool_calls}) == 2
    assert answer.finish_reason == "tool_calls"


@pytest.mark.parametrize("arguments", ['{"x": ', "[1]", "not json"])
def test_a_call_whose_arguments_nobody_can_read_is_a_bad_answer(arguments: str) -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": arguments}}
    with pytest.raises(BadAnswer, match="'f' are not a JSON object"):
        read(chunk("tool_calls", tool_calls=[call]))


def test_a_whole_body_that_does_not_say_why_the_model_stopped_is_an_answer_and_a_stream_is_none() -> None:
    said = {"content": "Yes."}
    assert read({"choices": [{"message": said}]}).finish_reason == "stop"
    with pytest.raises(BadAnswer, match="end mark"):
        read({"choices": [{"delta": said}]})


def test_a_refusal_in_words_is_refused_content_and_the_words_are_told() -> None:
    with pytest.raises(ContentRefused, match="I cannot help with that"):
        read(chunk(refusal="I cannot help "), chunk("stop", refusal="with that"))


def test_content_in_parts_is_read_without_its_thoughts_which_are_a_sign_of_life() -> None:
    answer = Answer("x", "chat")
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    assert answer.feed(chunk(content=[thinking])) == Delta()
    assert answer.feed(chunk(content=[thinking, {"type": "text", "text": "Yes."}])) == Delta("Yes.")
    assert read(chunk("stop"), answer=answer).message.text == "Yes."


def test_a_chunk_that_adds_nothing_is_no_sign_of_life() -> None:
    answer = Answer("x", "chat")
    nothings = [chunk(role="assistant", content=""), chunk(reasoning_content=None), {"choices": []}, {}]
    for nothing in nothings:
        assert answer.feed(nothing) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("MAX_TOKENS", "length"),
        ("model_length", "length"),
        ("function_call", "tool_calls"),
    ],
)
def test_every_servers_word_for_why_the_model_stopped_is_known(said: str, meant: FinishReason) -> None:
    assert read(chunk(said, content="a")).finish_reason == meant


@pytest.mark.parametrize("said", ["abort", "insufficient_system_resource", "function_call_filter: UNEXPECTED"])
def test_an_answer_that_a_server_gave_up_is_none_although_it_has_text(said: str) -> None:
    with pytest.raises(BadAnswer, match="gave it up"):
        read(chunk(content="a"), chunk(said))


def test_the_last_count_of_the_tokens_holds_and_a_server_that_never_counts_gives_none() -> None:
    counted = [chunk(content="a") | {"usage": {"prompt_tokens": 3, "completion_tokens": n}} for n in (1, 2)]
    assert read(*counted, chunk("stop")).usage == Usage(3, 2)
    assert read(chunk("stop", content="a")).usage is None


def test_tokens_are_found_where_groq_and_moonshot_count_them() -> None:
    tokens = {"prompt_tokens": 3, "completion_tokens": 2}
    assert read(chunk("stop", content="a") | {"x_groq": {"usage": tokens}}).usage == Usage(3, 2)
    choice = {"delta": {"content": "a"}, "finish_reason": "stop", "usage": tokens}
    assert read({"choices": [choice]}).usage == Usage(3, 2)


@pytest.mark.parametrize("told", [{"cached_tokens": 2}, {"prompt_cache_hit_tokens": 2}])
def test_cached_tokens_are_found_where_deepseek_and_moonshot_count_them(told: dict[str, int]) -> None:
    assert usage_of({"prompt_tokens": 3, "completion_tokens": 1, **told}) == Usage(3, 1, cached_tokens=2)


def test_tokens_that_only_the_total_counts_were_thought() -> None:
    told = {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}
    assert usage_of(told) == Usage(20, 603, reasoning_tokens=405)
    apart = told | {"completion_tokens_details": {"reasoning_tokens": 405}}
    assert usage_of(apart) == Usage(20, 603, reasoning_tokens=405)
    within = {"prompt_tokens": 20, "completion_tokens": 603, "total_tokens": 623}
    assert usage_of(within | {"completion_tokens_details": {"reasoning_tokens": 405}}) == usage_of(told)


def test_what_a_vendor_wants_back_is_kept_with_the_calls_that_it_belongs_to() -> None:
    answer = Answer("x", "chat", of_message=("thoughts",), of_call=("mark",))
    read(
        chunk(thoughts="Hm, "),
        chunk(thoughts="well."),
        chunk(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f"}, "mark": {"x": 1}, "other": 2}]),
        chunk("tool_calls", tool_calls=[{"index": 1, "id": "b", "function": {"name": "f"}}]),
        answer=answer,
    )
    kept = {"provider": "x", "message": {"thoughts": "Hm, well."}, "calls": [{"mark": {"x": 1}}, {}]}
    calls = (ToolCall("a", "f", {}), ToolCall("b", "f", {}))
    assert answer.completion(None).message == Message("assistant", tool_calls=calls, opaque={"chat": kept})


def test_thoughts_before_words_are_not_kept_nor_are_those_that_no_vendor_wants_back() -> None:
    thinker = Answer("x", "chat", of_message=("reasoning_content",))
    assert read(chunk("stop", content="Yes.", reasoning_content="hm"), answer=thinker).message.opaque == {}
    call = {"id": "a", "function": {"name": "f"}, "mark": 1}
    assert read(chunk("tool_calls", tool_calls=[call], reasoning_content="hm")).message.opaque == {}


def test_vectors_are_in_the_order_of_their_texts_and_an_index_that_is_left_out_is_the_first() -> None:
    data = [{"index": 1, "embedding": [2.0]}, {"embedding": [1.0]}]
    assert embeddings({"data": data}) == Embeddings([[1.0], [2.0]])
    assert embeddings({"data": [{"embedding": [1.0]}, {"embedding": [2.0]}]}) == Embeddings([[1.0], [2.0]])
