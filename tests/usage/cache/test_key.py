"""A key says exactly what a model would be sent."""

import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.errors import ConfigError
from toolkit.messages import (
    BEFORE_QUESTION,
    ChatRequest,
    Image,
    Message,
    OutputSchema,
    Source,
    ToolCall,
    ToolSpec,
)
from toolkit.usage.cache.key import key_of

_texts = st.text(st.sampled_from('aé\u0301é{}",:\\\0\n 1') | st.characters(), max_size=6)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 0.5]) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)
_objects = st.dictionaries(_texts, _json, max_size=2)
_messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    text=_texts | st.builds(lambda a, b: a + BEFORE_QUESTION + b, _texts, _texts),
    images=st.lists(st.builds(Image, _texts), max_size=2).map(tuple),
    tool_calls=st.lists(st.builds(ToolCall, _texts, _texts, _objects), max_size=2).map(tuple),
    tool_call_id=st.none() | _texts,
    opaque=_objects,
)
_requests = st.builds(
    ChatRequest,
    messages=st.lists(_messages, max_size=3).map(tuple),
    tools=st.lists(st.builds(ToolSpec, _texts, _texts, _objects), max_size=2).map(tuple),
    sources=st.lists(st.builds(Source, _texts, _texts, _texts), max_size=2).map(tuple),
    temperature=st.none() | st.sampled_from([0.0, 0.2, 1.0]),
    max_tokens=st.none() | st.integers(0, 3),
    stop=st.lists(_texts, max_size=2).map(tuple),
    seed=st.none() | st.integers(0, 2),
    extra=_objects,
    tool_choice=st.none() | _texts,
    output=st.none() | st.builds(OutputSchema, _texts, _objects),
)

busy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may have more to do


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal, types included."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if hasattr(type(one), "__slots__") and type(one) is type(other):
        return all(_same(getattr(one, name), getattr(other, name)) for name in type(one).__slots__)
    return type(one) is type(other) and bool(one == other)


def _turned(value: Any) -> Any:
    """An equal value, its mappings in the opposite order."""
    if isinstance(value, dict):
        return {name: _turned(inner) for name, inner in reversed(value.items())}
    if isinstance(value, list):
        return [_turned(inner) for inner in value]
    return value


@busy
@given(_requests, _requests, _objects, _objects)
def test_two_requests_share_a_key_exactly_if_they_are_equal(
    one: ChatRequest, other: ChatRequest, asked: dict[str, Any], also: dict[str, Any]
) -> None:
    same = _same(one, other) and _same(asked, also)
    assert (key_of(one, asked).exact == key_of(other, also).exact) is same


@busy
@given(_requests, st.data())
def test_a_request_that_differs_in_one_thing_has_another_key(request: ChatRequest, data: st.DataObject) -> None:
    other = data.draw(_requests)
    for name in ChatRequest.__slots__:
        changed = replace(request, **{name: getattr(other, name)})
        assert (key_of(request, {}).exact == key_of(changed, {}).exact) is _same(request, changed)


@busy
@given(_requests, _objects)
def test_the_order_of_names_does_not_matter(request: ChatRequest, asked: dict[str, Any]) -> None:
    turned = replace(
        request,
        extra=_turned(request.extra),
        tools=tuple(replace(tool, parameters=_turned(tool.parameters)) for tool in request.tools),
    )
    assert key_of(turned, _turned(asked)) == key_of(request, asked)


@given(_texts, _texts)
def test_requests_that_differ_in_their_question_only_share_the_rest(one: str, other: str) -> None:
    system = Message("system", "Be brief.")
    keys = [key_of(ChatRequest((system, Message("user", text))), {}) for text in (one, other)]
    assert [key.question for key in keys] == [one, other]
    assert keys[0].rest == keys[1].rest


def test_the_passages_before_a_question_belong_to_the_rest() -> None:
    keys = [key_of(ChatRequest((Message("user", f"{p}{BEFORE_QUESTION}Why?"),)), {}) for p in ("A", "B")]
    assert {key.question for key in keys} == {"Why?"}
    assert keys[0].rest != keys[1].rest


def test_one_as_a_number_as_a_fraction_and_as_yes_are_three_values_in_what_is_passed_on() -> None:
    assert len({key_of(ChatRequest((), extra={"n": value}), {}).exact for value in (1, 1.0, True, "1")}) == 4


def test_a_temperature_is_a_number_however_it_is_written() -> None:
    assert key_of(ChatRequest((), temperature=1), {}) == key_of(ChatRequest((), temperature=1.0), {})
    assert key_of(ChatRequest((), temperature=0.0), {}) == key_of(ChatRequest((), temperature=-0.0), {})


def test_text_is_compared_character_by_character() -> None:
    texts = ["\u00e9", "e\u0301", "\ud83d\ude00", "\U0001f600", "É", "\u00e9 "]
    assert len({key_of(ChatRequest((Message("user", text),)), {}).exact for text in texts}) == len(texts)


def test_a_name_that_is_a_number_is_what_json_makes_of_it() -> None:
    bias: dict[Any, Any] = {50256: -100, 7: 1}
    sent = json.loads(json.dumps(bias))
    assert key_of(ChatRequest((), extra={"b": bias}), {}) == key_of(ChatRequest((), extra={"b": sent}), {})


def test_a_read_only_mapping_and_a_tuple_are_as_good_as_a_dict_and_a_list() -> None:
    frozen = MappingProxyType({"a": (1, 2)})
    assert key_of(ChatRequest((), extra=frozen), frozen) == key_of(ChatRequest((), extra={"a": [1, 2]}), {"a": [1, 2]})


@pytest.mark.parametrize("mark", ["pinned", "stopped"])
def test_a_pinned_or_stopped_message_is_asked_as_one_that_is_not(mark: str) -> None:
    message = Message("user", "Hello")
    assert key_of(ChatRequest((message,)), {}) == key_of(
        ChatRequest((Message.from_json({**message.to_json(), mark: True}),)), {}
    )


@pytest.mark.parametrize("value", [{1, 2}, b"x", object(), {("a",): 1}])
def test_what_has_no_form_in_json_is_refused_with_what_to_do(value: Any) -> None:
    with pytest.raises(ConfigError, match="cache=False"):
        key_of(ChatRequest((), extra={"x": value}), {})
