"""One value put into JSON as editors keep it."""

import json
import random
from typing import Any

import pytest

from toolkit.cli.hosts import jsonc

PATH = ("servers", "toolkit")
OURS = {"command": "toolkit-mcp"}

SETTINGS = """\
// My settings
{
    "theme": "One Dark", // at night
    /* servers */
    "servers": {
        "other": { "command": "x", "args": ["a, // b", "/* c */"] }, // mine
    },
    "tab_size": 4,
}
"""


def test_comments_and_trailing_commas_stay_where_they_are() -> None:
    assert jsonc.put(SETTINGS, PATH, OURS) == SETTINGS.replace(
        "// mine\n", '// mine\n        "toolkit": {\n            "command": "toolkit-mcp"\n        },\n'
    )


def test_an_entry_that_is_there_is_replaced_and_nothing_else() -> None:
    once = jsonc.put(SETTINGS, PATH, {"url": "http://old"})

    assert jsonc.put(once, PATH, OURS) == jsonc.put(SETTINGS, PATH, OURS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "// nothing yet\n",
        "{}",
        '{"servers":{}}',
        '{ "servers": { "other": 1 } }',
        '{"servers": {"other": 1,}, "z": [1, {"a": null},]}',
        '{\n\t"a": "\\u00e9 \\" // no comment"\n}\n',
        '{"a": 1 // one\n}',
        '{"a": -1.5e3 /* two */ }',
        "{\n  // only words\n}",
    ],
)
def test_the_value_is_there_and_all_else_says_what_it_said(text: str) -> None:
    before: dict[str, Any] = jsonc.load(text) or {}

    after = jsonc.load(jsonc.put(text, PATH, OURS))

    assert after == {**before, "servers": {**before.get("servers", {}), "toolkit": OURS}}


def test_whatever_json_there_is_it_is_read_as_python_reads_it_and_kept() -> None:
    chance = random.Random(7)

    def value(depth: int) -> Any:
        kind = chance.randrange(7 if depth else 5)
        if kind == 5:
            return [value(depth - 1) for _ in range(chance.randrange(4))]
        if kind == 6:
            return {chance.choice('abc"{},:/é') * n: value(depth - 1) for n in range(chance.randrange(4))}
        return (None, True, chance.random() * 1e9, '// " } , \\ \n', -3)[kind]

    for _ in range(300):
        data = {"x": value(3), "servers": {"other": value(2)}, "y": value(2)}
        text = json.dumps(data, indent=chance.choice([None, 1, 4, "\t"]), ensure_ascii=chance.random() < 0.5)
        assert jsonc.load(text) == data
        assert jsonc.load(jsonc.put(text, PATH, OURS)) == {**data, "servers": {**data["servers"], "toolkit": OURS}}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a": 1', "line 1, column 8: a comma or } is expected"),
        ('{\n "a" 1}', "line 2, column 6: : is expected"),
        ("{a: 1}", "line 1, column 2: a key in double quotes is expected"),
        ('{"a": }', "line 1, column 7: a value is expected"),
        ('{"a": nope}', "line 1, column 7: a value is expected"),
        ('{"a": "x}', "line 1, column 7: unterminated string"),
        ("{} {}", "line 1, column 4: nothing more is expected"),
        ('{"a": [1 2]}', "line 1, column 10: a comma or ] is expected"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match="line") as refused:
        jsonc.put(text, PATH, OURS)

    assert complaint in str(refused.value)


def test_what_is_no_object_is_not_written_over() -> None:
    with pytest.raises(ValueError, match="line 2: an object is expected, with 'toolkit' in it"):
        jsonc.put('{\n"servers": [1]}', PATH, OURS)
