import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from toolkit.errors import ConfigError, ToolArgumentsError
from toolkit.tools.parameters import Parameters
from toolkit.tools.tool import ToolContext


class Tree(BaseModel):
    children: "list[Tree]"


class Kind(Enum):
    CODE = "code"
    TEXT = "text"


@dataclass
class Where:
    language: str
    numbers: list[int]
    path: str | None = None


def of(function: Callable[..., Any], **described: str) -> Parameters:
    return Parameters.of(function, tool="find", described=described, context=ToolContext)


def find(
    query: Annotated[str, Field(description="What to look for", min_length=1)],
    where: Where,
    *,
    kinds: list[Kind] | None = None,
    top_k: Annotated[int, Field(ge=1, le=50)] = 5,
    style: Literal["concise", "detailed"] = "concise",
    since: date = date(2026, 1, 31),
    weight: float = 1.0,
) -> None: ...


FIND = of(find, query="not this one", top_k="How many.")


def test_the_schema_is_flat_and_says_all_that_a_model_needs() -> None:
    assert FIND.schema == {
        "type": "object",
        "properties": {
            "query": {"type": "string", "minLength": 1, "description": "What to look for"},
            "where": {
                "type": "object",
                "properties": {
                    "language": {"type": "string"},
                    "numbers": {"type": "array", "items": {"type": "integer"}},
                    "path": {"type": "string"},
                },
                "required": ["language", "numbers"],
                "additionalProperties": False,
            },
            "kinds": {"type": "array", "items": {"type": "string", "enum": ["code", "text"]}},
            "top_k": {"type": "integer", "minimum": 1, "maximum": 50, "default": 5, "description": "How many."},
            "style": {"type": "string", "enum": ["concise", "detailed"], "default": "concise"},
            "since": {"type": "string", "format": "date", "default": "2026-01-31"},
            "weight": {"type": "number", "default": 1.0},
        },
        "required": ["query", "where"],
        "additionalProperties": False,
    }


def test_the_arguments_come_as_the_types_of_the_signature_and_defaults_are_left_to_the_function() -> None:
    given = {"query": "x", "where": {"language": "en", "numbers": []}, "kinds": ["code"], "since": "2026-02-01"}
    assert FIND.check("find", given) == {
        "query": "x",
        "where": Where("en", []),
        "kinds": [Kind.CODE],
        "since": date(2026, 2, 1),
    }


def test_small_slips_of_a_model_are_understood() -> None:
    given = {"query": "x", "where": '{"language": "en", "numbers": "[1, 2]"}', "top_k": "7", "style": None}
    given["where"] = '{"language": "en", "numbers": ["1", 2]}'
    assert FIND.check("find", given) == {"query": "x", "where": Where("en", [1, 2]), "top_k": 7}


def test_null_is_kept_where_the_type_has_it() -> None:
    def ask(model: str | None, kind: str = None) -> None: ...  # type: ignore[assignment] # noqa: RUF013 - as people write it

    parameters = of(ask)
    assert parameters.schema["required"] == ["model"]
    assert parameters.schema["properties"] == {"model": {"type": "string"}, "kind": {"type": "string"}}
    assert parameters.check("ask", {"model": None, "kind": None}) == {"model": None, "kind": None}


def test_a_parameter_may_have_a_name_that_pydantic_uses_itself() -> None:
    def store(schema: str, copy: bool, model_config: int = 1) -> None: ...

    assert of(store).check("store", {"schema": "x", "copy": True}) == {"schema": "x", "copy": True}


def test_the_context_is_injected_and_not_in_the_schema() -> None:
    def ask(question: str, context: ToolContext) -> None: ...

    def chat(context: ToolContext | None = None) -> None: ...

    assert (of(ask).injected, list(of(ask).schema["properties"])) == ("context", ["question"])
    assert (of(chat).injected, of(chat).schema["properties"]) == ("context", {})


def test_annotations_that_are_strings_are_read_and_the_return_type_is_not() -> None:
    def ask(question: "str", kind: "Kind" = Kind.CODE) -> "Unknown": ...  # type: ignore[name-defined] # noqa: F821 - the point

    assert of(ask).schema["properties"]["kind"] == {"type": "string", "enum": ["code", "text"], "default": "code"}


def _untyped(first: int, second) -> None: ...  # type: ignore[no-untyped-def] # noqa: ANN001 - the point
def _anything(first: int, second: Any) -> None: ...
def _task(first: int, second: asyncio.Task[int]) -> None: ...
def _callable(first: int, second: Callable[[int], int]) -> None: ...
def _tree(first: int, second: Tree) -> None: ...
def _union(first: int, second: str | list[str]) -> None: ...
def _unknown(first: int, second: "Nowhere") -> None: ...  # type: ignore[name-defined] # noqa: F821 - the point
def _variadic(first: int, *second: int) -> None: ...
def _keywords(first: int, **second: int) -> None: ...
def _positional(second: int, /, first: int) -> None: ...
def _field_as_default(first: int, second: int = Field(3, ge=1)) -> None: ...


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (_untyped, "has no type; annotate it"),
        (_anything, "may be anything; say which type"),
        (_task, "a model cannot fill the parameter `second`"),
        (_callable, "a model cannot fill the parameter `second`"),
        (_tree, "contains itself"),
        (_union, "may be of several types; give it one plain type"),
        (_unknown, "cannot be read"),
        (_variadic, "a model cannot fill `*second: int`"),
        (_keywords, "a model cannot fill `**second: int`"),
        (_positional, "a model cannot fill `second: int`"),
        (_field_as_default, "`second: Annotated[type, Field(…)] = default`"),
    ],
)
def test_a_parameter_that_a_model_cannot_fill_is_refused_by_name(function: Callable[..., Any], reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of(function)
    message = str(caught.value)
    assert message.startswith("Tool find: ")
    assert reason in message
    assert "second" in message
    assert "first" not in message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"top_k": 400}, "find: `top_k` must be at most 50 (got 400)."),
        ({"top_k": 0}, "find: `top_k` must be at least 1 (got 0)."),
        ({"top_k": "many"}, 'find: `top_k` must be a whole number (got "many").'),
        ({"top_k": 1.5}, "find: `top_k` must be a whole number (got 1.5)."),
        ({"top_k": True}, "find: `top_k` must be a whole number (got true)."),
        ({"weight": False}, "find: `weight` must be a number (got false)."),
        ({"weight": "nan"}, 'find: `weight` must be a finite number (got "nan").'),
        ({"query": 5}, "find: `query` must be text (got 5)."),
        ({"query": ""}, 'find: `query` must be non-empty (got "").'),
        ({"style": "short"}, "find: `style` must be 'concise' or 'detailed' (got \"short\")."),
        ({"kinds": ["code", "x"]}, "find: `kinds[1]` must be 'code' or 'text' (got \"x\")."),
        ({"kinds": "code"}, 'find: `kinds` must be a list (got "code").'),
        ({"where": 3}, "find: `where` must be an object (got 3)."),
        (
            {"where": {"language": "en", "numbers": [1, True]}},
            "find: `where.numbers[1]` must be a whole number (got true).",
        ),
        ({"where": {"language": "en"}}, "find: `where.numbers` is missing."),
        (
            {"where": {"langage": "en", "language": "", "numbers": []}},
            "find: `where.langage` is unknown, use `where.language`.",
        ),
        ({"topk": 3}, "find: `topk` is unknown, use `top_k`."),
        (
            {"zzz": 3},
            "find: `zzz` is unknown, there are `query`, `where`, `kinds`, `top_k`, `style`, `since`, `weight`.",
        ),
        ({"top_k": 99, "kind": 1}, "find: `kind` is unknown, use `kinds`; `top_k` must be at most 50 (got 99)."),
    ],
)
def test_wrong_arguments_are_named_with_what_is_expected_and_what_was_got(given: dict[str, Any], message: str) -> None:
    right = {"query": "x", "where": {"language": "en", "numbers": []}}
    with pytest.raises(ToolArgumentsError) as caught:
        FIND.check("find", {**right, **given})
    assert str(caught.value).startswith(f"{message[:-1]}; right is, for example, {{")


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ({"where": {"language": "en", "numbers": []}}, {"query": "text", "where": {"language": "en", "numbers": []}}),
        ({"query": "x", "where": {"language": "en"}}, {"query": "x", "where": {"language": "text", "numbers": [1]}}),
        ({"quary": "x", "where": 3}, {"query": "x", "where": {"language": "text", "numbers": [1]}}),
        ({"query": "x" * 500, "where": {"language": "en", "numbers": []}, "topk": 500, "since": "2026-13-01"}, None),
    ],
)
def test_the_message_ends_with_a_call_that_is_right_and_keeps_what_was(
    given: dict[str, Any], right: dict[str, Any] | None
) -> None:
    with pytest.raises(ToolArgumentsError) as caught:
        FIND.check("find", given)
    said = json.loads(str(caught.value).partition("; right is, for example, ")[2].removesuffix("."))
    assert FIND.check("find", said)
    if right is not None:
        assert said == right


def test_no_example_is_given_where_it_might_be_wrong() -> None:
    def find(code: Annotated[str, Field(pattern="^[A-Z]{3}$")]) -> None: ...

    with pytest.raises(ToolArgumentsError) as caught:
        of(find).check("find", {"code": "x"})
    assert str(caught.value) == 'find: `code` must be text that fits the pattern ^[A-Z]{3}$ (got "x").'


def test_a_date_that_is_none_is_explained_without_an_address_of_pydantic() -> None:
    with pytest.raises(ToolArgumentsError) as caught:
        FIND.check("find", {"query": "x", "where": {"language": "en", "numbers": []}, "since": "2026-13-01"})
    assert str(caught.value).startswith("find: `since` must be a valid date")
    assert "http" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_value_is_shown_short_and_without_secrets() -> None:
    with pytest.raises(ToolArgumentsError) as caught:
        FIND.check(
            "find", {"query": "x", "where": "y" * 5000, "style": "sk-proj-abcdefghijklmnop", "sk-abcdefghijkl": 1}
        )
    message = str(caught.value)
    assert 'got "***"' in message
    assert "abcdefghijkl" not in message
    assert len(message) < 500


def test_a_secret_is_recognised_before_a_long_value_is_cut_through_it() -> None:
    with pytest.raises(ToolArgumentsError) as caught:
        FIND.check("find", {"query": "x", "where": f"{'y' * 50} sk-abcdefghijklmnop"})
    assert "sk-" not in str(caught.value)


def test_a_thousand_mistakes_are_a_few_and_a_number() -> None:
    given = {"query": "x", "where": {"language": "en", "numbers": ["a"] * 1000}}
    with pytest.raises(ToolArgumentsError, match="; and 994 more; right is") as caught:
        FIND.check("find", given)
    assert str(caught.value).count(";") == 7


def test_a_type_of_several_numbers_or_texts_is_named_without_its_branches() -> None:
    def weigh(weight: float) -> None: ...

    with pytest.raises(ToolArgumentsError, match="weigh: `weight` must be") as caught:
        of(weigh).check("weigh", {"weight": "x"})
    assert "`weight.int`" not in str(caught.value)


def test_what_a_validator_of_the_author_says_is_passed_on() -> None:
    class Even(BaseModel):
        number: int

        def model_post_init(self, _context: object) -> None:
            if self.number % 2:
                raise ValueError("the number is odd.")

    def halve(even: Even) -> None: ...

    with pytest.raises(ToolArgumentsError, match=r'halve: `even` is wrong: the number is odd \(got \{"number": 3\}\);'):
        of(halve).check("halve", {"even": {"number": 3}})


def test_each_mistake_is_told_with_the_argument_that_has_it() -> None:
    def find(query: str, limit: Annotated[int, Field(ge=1)] = 5) -> None: ...

    parameters = Parameters.of(find, tool="find", described={}, context=ToolContext)
    with pytest.raises(ToolArgumentsError) as caught:
        parameters.check("find", {"limit": 0, "limt": 1})
    assert sorted(caught.value.wrong) == [
        ("limit", "`limit` must be at least 1 (got 0)"),
        ("limt", "`limt` is unknown, use `limit`"),
        ("query", "`query` is missing"),
    ]
