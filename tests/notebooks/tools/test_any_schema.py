"""Whatever schema somebody wrote for a tool, a form is made of it, filled, checked and shown."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notebooks.tools.outcome import answered, as_code
from notebooks.tools.rows import Rows
from notebooks.widgets.closing import discard
from tests.notebooks.tools.schemas import ANY_VALUE, parameters
from toolkit.errors import ConfigError, ToolArgumentsError
from toolkit.tools.remote.foreign import ForeignParameters
from toolkit.tools.tool import ToolResult

HARD = ["1e999", "NaN", "[[1]", "9" * 5000, "{}", "null", "-0", "[" * 5000]
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(HARD))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(schema=parameters(), text=TEXTS, value=ANY_VALUE)
def test_a_form_is_made_filled_checked_and_emptied(schema: dict[str, Any], text: str, value: Any) -> None:
    try:
        known = ForeignParameters(schema)
    except ConfigError:
        return  # no tool has it
    rows = Rows(known.schema, lambda: None)
    try:
        for row in rows.children:
            if hasattr(row.field.widget, "placeholder"):
                row.field.widget.value = text
        as_code("it", rows.arguments, waits=False)
        rows.fill({row.field.name: value for row in rows._rows})
        as_code("it", rows.arguments, waits=False)
        try:
            known.check("it", rows.arguments)
            rows.say(None)
        except ToolArgumentsError as error:
            rows.say(error)
        rows.fill({})
    finally:
        discard(rows)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=ANY_VALUE)
def test_a_call_as_code_is_python_that_says_the_same(value: Any) -> None:
    code = as_code("it", {"value": value}, waits=True)
    assert eval(code.removeprefix("tk.tools.call"), {}) == ("it", {"value": value})


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=st.dictionaries(st.text(max_size=5), ANY_VALUE, max_size=4))
def test_any_result_is_shown_and_stays_text(value: dict[str, Any]) -> None:
    html = answered(ToolResult("<script>", {**value, "<script>": "<img src=x onerror=y>"}), 1.0)
    assert "<script" not in html
    assert "<img" not in html


@pytest.mark.parametrize("value", [json.loads("[" * 500 + "]" * 500), list(range(10_000)), "x" * 100_000])
def test_a_result_that_is_deep_or_long_is_shown_within_bounds(value: Any) -> None:
    assert len(answered(ToolResult("", {"a": value, "b": [{"c": value}] * 300}), 1.0)) < 200_000
