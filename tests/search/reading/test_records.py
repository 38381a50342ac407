"""Tables and JSON as records that are understood alone."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.search.cutting.chunker import cut
from toolkit.search.documents import Loaded
from toolkit.search.reading.loader import parse


def loaded(text: str, name: str) -> Loaded:
    document = parse(text.encode(), Path(name), name)
    assert isinstance(document, Loaded)
    return document


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "Name,Born\nAda,1815\nBob,\n"),
        ("a.csv", "Name;Born\r\nAda;1815\r\nBob;\r\n"),
        ("a.csv", 'Name|Born\n"Ada"|1815\nBob|\n'),
        ("a.tsv", "Name\tBorn\nAda\t1815\n\nBob\t\n"),
    ],
)
def test_a_row_names_its_values(name: str, text: str) -> None:
    document = loaded(text, name)
    assert document.kind == "table"
    assert document.text == "Columns: Name, Born\nName: Ada | Born: 1815\nName: Bob"


def test_a_table_without_names_is_given_as_it_is() -> None:
    assert loaded("1,2\n3,4\n", "a.csv").text == "1 | 2\n3 | 4"
    assert loaded("Country,2019,2020\nA,1,2\n", "a.csv").text.endswith("\nCountry: A | 2019: 1 | 2020: 2")


def test_a_long_row_gets_a_line_for_each_value() -> None:
    document = loaded(f"id,text,more\n1,{'word ' * 200},x\n2,short,y\n", "a.csv")
    lines = document.text.split("\n")
    assert lines[2] == "id: 1"
    assert lines[4:] == ["more: x", "", "id: 2 | text: short | more: y"]


@pytest.mark.parametrize("text", ["no table at all\nbut two lines\n", 'a,b\n1,"' + "x,y\n" * 60_000])
def test_what_is_no_table_in_spite_of_its_name_is_read_as_text(text: str) -> None:
    document = loaded(text, "a.csv")
    assert (document.kind, document.text) == ("text", text)


def test_a_record_of_json_names_its_values() -> None:
    text = json.dumps({"name": "x", "on": True, "none": None, "tags": ["a", "b"], "in": {"deep": [1, {"k": "v"}]}})
    assert loaded(text, "a.json").text == "name: x | on: true | tags: a, b | in.deep[0]: 1 | in.deep[1].k: v"


def test_large_json_is_taken_apart_at_its_values() -> None:
    birds = [{"name": f"Heron {n}", "text": "word " * 60} for n in range(5)]
    found = cut(loaded(json.dumps({"title": "t", "birds": birds}, indent=2), "a.json"), "c")
    assert [chunk.heading for chunk in found] == ["birds"] * len(found)
    assert all("name: Heron" in chunk.text for chunk in found)


def test_a_long_record_is_called_by_its_name_in_each_of_its_chunks() -> None:
    lines = [{"_id": n, "title": f"Bird {n}", "text": "\n".join(["A sentence of words."] * 80)} for n in range(3)]
    document = loaded("\n".join(map(json.dumps, lines)), "a.jsonl")
    found = cut(document, "c")
    assert [chunk.heading for chunk in found] == ["Bird 0", "Bird 0", "Bird 1", "Bird 1", "Bird 2", "Bird 2"]
    assert [chunk.place for chunk in found] == ["row 1", "row 1", "row 2", "row 2", "row 3", "row 3"]
    assert {chunk.lines for chunk in found} == {(1, 1), (2, 2), (3, 3)}


def test_numbers_in_a_row_share_lines() -> None:
    document = loaded(json.dumps(list(range(2_000))), "a.json")
    assert document.text.replace("\n", ", ") == ", ".join(map(str, range(2_000)))
    assert document.text.count("\n") < 50


@pytest.mark.parametrize("text", ["{broken", "[1,", '{"a": 1}\n{"b": 2}', "// comment\n{}"])
def test_what_is_no_json_in_spite_of_its_name_is_read_as_code(text: str) -> None:
    document = loaded(text, "a.json")
    assert (document.kind, document.language, document.text) == ("code", "json", text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=200) | st.sampled_from(["word " * 90, "é" * 700]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_any_json_is_read_and_points_to_itself(value: object, indent: int | None, ascii_only: bool) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    document = parse(data, Path("a.json"), "a.json")
    if not isinstance(document, Loaded) or document.kind != "table":
        return
    known = document.source_map
    assert known is not None
    assert known.starts is not None
    assert known.ends is not None
    for start, end in zip(known.starts, known.ends, strict=True):
        if start >= 0:
            part = data[start:end].decode()
            assert part.strip() == part
    assert all((chunk.byte_end or 0) <= len(data) for chunk in cut(document, "c"))
