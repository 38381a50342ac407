"""Types as the form of an answer."""

import dataclasses
import enum
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    TypeAdapter,
    ValidationInfo,
    field_validator,
)
from typing_extensions import TypedDict

from toolkit.errors import ConfigError
from toolkit.models.structured import is_closed
from toolkit.sessions.form import Form, Misfit

T = TypeVar("T")


class City(BaseModel):
    """A city of more than a million."""

    name: str = Field(description="In its own language.")
    people: int = Field(gt=1_000_000)
    title: str | None = None


class Book(TypedDict):
    """A book."""

    isbn: str


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    value: int
    children: list["Node"] = []


class Page(BaseModel, Generic[T]):
    items: list[T]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Upper(BaseModel):
    code: str

    @field_validator("code")
    @classmethod
    def known(cls, value: str, info: ValidationInfo) -> str:
        if value not in (info.context or ()):
            raise ValueError("must be one of the codes in the text")
        return value


CITIES = st.builds(City, name=st.text(max_size=8), people=st.integers(1_000_001), title=st.none() | st.text(max_size=3))
PAIRS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (City, CITIES),
    (Book, st.fixed_dictionaries({"isbn": st.text(max_size=5)})),
    (Point, st.builds(Point, x=st.integers(), y=st.integers())),
    (Colour, st.sampled_from(Colour)),
    (Node, st.builds(Node, value=st.integers(), children=st.lists(st.builds(Node, value=st.integers()), max_size=2))),
    (Page[int], st.builds(Page[int], items=st.lists(st.integers(), max_size=3))),
    (list[City], st.lists(CITIES, max_size=3)),
    (Iterable[City], st.lists(CITIES, max_size=3)),
    (dict[str, int], st.dictionaries(st.text(max_size=5), st.integers(), max_size=3)),
    (dict[str, list[City]], st.dictionaries(st.text(max_size=5), st.lists(CITIES, max_size=1), max_size=2)),
    (Literal["yes", "no", 3], st.sampled_from(["yes", "no", 3])),
    (Optional[City], st.none() | CITIES),  # noqa: UP045 - as many write it
    (Union[int, str], st.integers() | st.text(max_size=5)),  # noqa: UP007 - as many write it
    (int | None, st.none() | st.integers()),
    (Pet, st.builds(Cat, lives=st.integers()) | st.builds(Dog, tricks=st.lists(st.text(max_size=3), max_size=2))),
    (Annotated[int, Field(ge=3)], st.integers(3)),
    (tuple[int, str], st.tuples(st.integers(), st.text(max_size=5))),
    (set[int], st.sets(st.integers(), max_size=3)),
    (RootModel[list[int]], st.builds(RootModel[list[int]], st.lists(st.integers(), max_size=3))),
    (int, st.integers()),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (bool, st.booleans()),
    (str, st.text(max_size=9)),
    (date, st.dates()),
    (datetime, st.datetimes(timezones=st.just(UTC))),
    (Any, st.integers() | st.lists(st.integers(), max_size=2)),
]


@pytest.mark.parametrize(("kind", "values"), PAIRS, ids=lambda each: str(each)[:30])
def test_what_a_model_answers_in_the_form_comes_back_as_the_value(kind: Any, values: st.SearchStrategy[Any]) -> None:
    form = Form.of(kind)
    plain = TypeAdapter(list[Any] if kind == Iterable[City] else kind)
    assert form.output.schema["type"] == "object"
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", form.output.name)

    @settings(deadline=None)
    @given(values)
    def check(value: Any) -> None:
        bare = plain.dump_json(value, by_alias=True).decode()
        wrapped = "answer" in form.output.schema.get("properties", {})
        said = json.dumps({"answer": json.loads(bare)}) if wrapped else bare
        assert form.read(said) == value
        assert form.unwrap(json.loads(said)) == json.loads(bare)
        if wrapped and not bare.startswith('{"answer"'):
            assert form.read(bare) == value  # a model that forgets the wrapping is understood

    check()


LEAVES = st.sampled_from([int, str, bool, date, Colour, Point, Literal["yes", 3]])
KINDS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda kind: list[kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: dict[str, kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: tuple[kind, ...]),  # type: ignore[valid-type]
        inner.map(lambda kind: kind | None),
        st.tuples(inner, inner).map(lambda kinds: Union[kinds]),  # noqa: UP007 - it has no other way
    ),
    max_leaves=4,
)


@settings(deadline=None)
@given(KINDS, st.data())
def test_a_value_of_any_type_fits_its_schema_and_comes_back(kind: Any, data: st.DataObject) -> None:
    form, plain = Form.of(kind), TypeAdapter(kind)
    bare = plain.dump_json(data.draw(st.from_type(kind))).decode()
    wrapped = "answer" in form.output.schema.get("properties", {})
    said = f'{{"answer": {bare}}}' if wrapped else bare
    jsonschema.validate(json.loads(said), form.output.schema)
    assert form.read(said) == plain.validate_json(bare)
    assert form.output.schema["type"] == "object"


def test_the_schema_keeps_what_describes_and_drops_what_only_costs() -> None:
    assert Form.of(City).output.schema == {
        "type": "object",
        "description": "A city of more than a million.",
        "properties": {
            "name": {"type": "string", "description": "In its own language."},
            "people": {"type": "integer", "exclusiveMinimum": 1_000_000},
            "title": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["name", "people"],
        "additionalProperties": False,
    }


def test_a_type_that_contains_itself_has_an_object_at_its_root() -> None:
    schema = Form.of(Node).output.schema
    assert (schema["type"], schema["properties"]["children"]["items"]) == ("object", {"$ref": "#/$defs/Node"})
    assert schema["$defs"]["Node"]["properties"].keys() == {"value", "children"}


def test_a_union_is_said_in_the_way_that_all_vendors_know() -> None:
    answer = Form.of(Pet).output.schema["properties"]["answer"]
    assert answer == {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]}


@pytest.mark.parametrize(
    ("kind", "closed"),
    [
        (City, True),
        (list[City], True),
        (Pet, True),
        (tuple[int, City], True),
        (Node, False),
        (dict[str, int], False),
        (list[dict[str, City]], False),
        (Any, False),
        (list[Any], False),
        (Page[City], True),
        (list, False),
    ],
)
def test_a_form_is_closed_where_every_object_lists_its_keys_and_none_contains_itself(kind: Any, closed: bool) -> None:
    assert is_closed(Form.of(kind).output.schema) is closed


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (City, "City"),
        (list[City], "list_City"),
        (City | None, "City_or_None"),
        (Annotated[int, Field(gt=0)], "int"),
        (dict[str, int], "dict_str_int"),
        (Page[City], "Page_City_"),
        (Literal["yes", "no"], "Literal_yes_no"),
    ],
)
def test_the_form_is_called_what_the_type_is_called(kind: Any, name: str) -> None:
    assert Form.of(kind).output.name == name


def test_the_form_of_a_type_is_made_once() -> None:
    assert Form.of(list[City]) is Form.of(list[City])
    unhashable = Annotated[int, Field(json_schema_extra={"examples": [1]}), AfterValidator(abs), ["a list"]]
    assert Form.of(unhashable).read('{"answer": -2}') == 2


@pytest.mark.parametrize(
    ("kind", "text", "errors"),
    [
        (City, '{"name": "Ulm", "people": 3}', ["people: Input should be greater than 1000000 (got 3)"]),
        (City, '{"people": 2000000}', ["name: Field required"]),
        (City, "[1]", ["Input should be an object (got [1])"]),
        (
            list[City],
            '{"answer": [{"name": "A", "people": 9999999}, {"people": 9999999}]}',
            ["answer[1].name: Field required"],
        ),
        (Pet, '{"answer": {"kind": "cat", "lives": "x"}}', ["answer.lives: Input should be a valid integer"]),
        (
            Cat | Dog,
            '{"answer": {"kind": "cow"}}',
            ["answer.kind: Input should be 'cat'", "answer.lives: Field required"],
        ),
        (int, "{}", ["answer: Field required"]),
        (Upper, '{"code": "X"}', ['code: must be one of the codes in the text (got "X")']),
        (dict[str, int], '{"a": {"b": 1}}', ['a: Input should be a valid integer (got {"b": 1})']),
    ],
)
def test_what_does_not_fit_is_told_with_its_place_and_without_pydantics_inside(
    kind: Any, text: str, errors: list[str]
) -> None:
    with pytest.raises(Misfit) as caught:
        Form.of(kind).read(text, ["A"])
    for said, expected in zip(caught.value.errors, errors, strict=False):
        assert said.startswith(expected)
    assert not caught.value.unreadable
    assert not re.search(r"function-|\[type=|pydantic|_Wrapper", " ".join(caught.value.errors))


@pytest.mark.parametrize(
    ("kind", "text"),
    [(City, '{"name": "U'), (City, "I cannot."), (int, "forty"), (int, '1, "b": 2'), (int, '{"answer": ')],
)
def test_what_is_no_json_is_called_so(kind: Any, text: str) -> None:
    with pytest.raises(Misfit, match="it is not valid JSON") as caught:
        Form.of(kind).read(text)
    assert caught.value.unreadable
    assert len(caught.value.errors) == 1


def test_of_a_thousand_mistakes_ten_are_told_and_of_a_long_value_the_beginning() -> None:
    with pytest.raises(Misfit) as caught:
        Form.of(list[int]).read(json.dumps(["x" * 1000] * 1000))
    assert len(caught.value.errors) == 11
    assert caught.value.errors[-1] == "and 990 more"
    assert max(len(each) for each in caught.value.errors) < 200


def test_the_validators_get_the_context() -> None:
    assert Form.of(Upper).read('{"code": "B"}', ["A", "B"]) == Upper.model_construct(code="B")


def test_a_strict_model_is_strict_and_still_reads_dates() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        day: date
        count: int

    assert Form.of(Strict).read('{"day": "2026-03-01", "count": 1}').day == date(2026, 3, 1)
    with pytest.raises(Misfit, match="count"):
        Form.of(Strict).read('{"day": "2026-03-01", "count": "1"}')


@pytest.mark.parametrize("kind", [5, "Nothing", Callable[[int], int], object()])
def test_what_is_no_type_for_a_model_is_refused_in_a_sentence(kind: Any) -> None:
    with pytest.raises(ConfigError, match=r"cannot be asked for .* as response_model"):
        Form.of(kind)


def test_of_a_wrapped_answer_that_has_not_begun_there_is_nothing() -> None:
    form = Form.of(list[int])
    assert [form.unwrap(partial) for partial in (None, {}, {"answer": [1]}, [1])] == [None, None, [1], None]
    assert Form.of(City).unwrap({"name": "U"}) == {"name": "U"}
