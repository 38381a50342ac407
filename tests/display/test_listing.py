import builtins
import json
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import pytest
from IPython.core.formatters import DisplayFormatter
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from toolkit.bridge import _is_async
from toolkit.display import Comparison, Listing, Shown
from toolkit.errors import ConfigError, RateLimited
from toolkit.messages import Attempt, Message, Reply, Usage


class Pair(NamedTuple):
    name: str
    number: int


@dataclass(frozen=True, slots=True, repr=False)
class Town(Shown):
    name: str
    people: int
    used: Usage = field(default_factory=lambda: Usage(1, 2))


TOWNS = Listing([Town("Ulm", 126_000), Town("Bad Urach", 12_000)])


def shown_by_ipython(value: object) -> tuple[Any, Any]:
    formatter: Any = DisplayFormatter()
    data, metadata = formatter.format(value)
    return data, metadata


def reply(text: str, model: str) -> Reply:
    asked = Attempt(model, "openai", "gpt", usage=Usage(3, 4), cost_nano_usd=2_000_000)
    return Reply(Message("assistant", text), model, (asked,), "call")


def test_a_listing_is_a_list_in_every_respect() -> None:
    assert isinstance(TOWNS, list)
    assert list(TOWNS) == TOWNS == [Town("Ulm", 126_000), Town("Bad Urach", 12_000)]
    assert TOWNS[0].name == "Ulm"
    assert not _is_async(type(TOWNS))  # a proxy passes it on as it is
    assert not hasattr(TOWNS, "__dict__")


def test_on_a_wire_a_listing_and_a_comparison_are_a_list_and_a_dict() -> None:
    plain = [asdict(town) for town in TOWNS]
    assert asdict(Holder(TOWNS))["towns"] == plain
    assert to_jsonable_python(TOWNS) == plain
    assert TypeAdapter(list[Town]).dump_python(TOWNS) == plain
    assert json.dumps(Listing([1, 2])) == "[1, 2]"
    assert json.dumps(Comparison({"a": 1})) == '{"a": 1}'
    assert type(asdict(Holder(TOWNS))["towns"]) is Listing


@dataclass
class Holder:
    towns: Any


def test_a_notebook_shows_the_line_and_the_page_instead_of_every_field() -> None:
    shown, _ = shown_by_ipython(TOWNS)
    assert shown["text/plain"] == "[Town(Ulm), Town(Bad Urach)]"
    assert "<td>Bad Urach</td>" in shown["text/html"]
    shown, _ = shown_by_ipython(TOWNS[0])
    assert shown["text/plain"] == "Town(Ulm, people 126000, used input 1, output 2)"
    shown, _ = shown_by_ipython([TOWNS[0]])
    assert shown["text/plain"] == "[Town(Ulm, people 126000, used input 1, output 2)]"
    shown, _ = shown_by_ipython(Comparison(small=reply("Yes.", "small")))
    assert shown["text/plain"].startswith("Comparison(small: Reply(Yes., by small")


def test_rows_stand_beside_the_index_that_python_knows_them_by() -> None:
    html = TOWNS._repr_html_()
    assert "<tr><th>1</th><td>Bad Urach</td>" in html
    assert '<td class="toolkit-right">12\u202f000</td>' in html


def test_a_long_list_shows_its_beginning_and_says_how_many_more_there_are() -> None:
    many = Listing(Town(f"town {number}", number) for number in range(1_234))
    html = many._repr_html_()
    assert html.count("<tr>") == 1 + 50 + 1
    assert "… and 1,184 more" in html
    assert repr(many).endswith("… 1,226 more]")
    said = Listing(Message("user", f"word {number}") for number in range(60))._repr_html_()
    assert "word 49" in said
    assert "word 50" not in said
    assert "… and 10 more" in said


def test_an_empty_list_says_so() -> None:
    assert "Nothing." in Listing[Town]()._repr_html_()
    assert repr(Listing[Town]()) == "[]"
    assert len(Listing[Town]().to_frame()) == 0


def test_messages_are_shown_as_what_was_said_and_by_whom() -> None:
    said = Listing([Message("user", "<b>2 * 3?</b>"), Message("assistant", "It is **6**.")])
    html = said._repr_html_()
    assert "<b>user</b>" in html
    assert "&lt;b&gt;2 * 3?&lt;/b&gt;" in html
    assert "It is <strong>6</strong>." in html


def test_named_tuples_are_rows_too() -> None:
    pairs = Listing([Pair("a", 1), Pair("b", 2)])
    assert repr(pairs) == "[Pair(a), Pair(b)]"
    assert list(pairs.to_frame().columns) == ["name", "number"]


def test_a_frame_has_the_fields_within_a_field_beside_the_others() -> None:
    frame = TOWNS.to_frame()
    assert list(frame.columns)[:4] == ["name", "people", "input_tokens", "output_tokens"]
    assert frame.people.sum() == 138_000
    answers = Listing([reply("Yes.", "small")]).to_frame()
    assert answers.loc[0, ["model", "text", "cost_usd", "output_tokens"]].tolist() == ["small", "Yes.", 0.002, 4]


def test_a_comparison_shows_each_answer_and_why_there_is_none() -> None:
    compared: Comparison[Any] = Comparison(
        small=reply("**Yes.**", "small"), large=RateLimited("Too many requests.", provider="openai")
    )
    html = compared._repr_html_()
    assert "<b>small</b>" in html
    assert "<strong>Yes.</strong>" in html
    assert "RateLimited: Too many requests." in html
    frame = compared.to_frame()
    assert frame.asked.tolist() == ["small", "large"]
    assert frame.error.tolist()[1] == "RateLimited"


def test_without_pandas_one_sentence_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return find(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match="pip install pandas"):
        TOWNS.to_frame()
