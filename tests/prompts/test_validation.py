"""Validation: everything that is wrong with a prompt, at once."""

from pathlib import Path

import pytest

from toolkit.db import Database
from toolkit.errors import ConfigError, NotFound
from toolkit.models.tokens import count_text
from toolkit.prompts.library import Prompts


def front(*lines: str, template: str = "Hi.") -> str:
    return "\n".join(["---", "description: d", *lines, "---", template])


@pytest.fixture
def prompts() -> Prompts:
    return Prompts()


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("---\ntitle: x\n", ["begins with --- and has no second one; close its front matter"]),
        ("---\ntitle: [x\n---\nHi", ["the front matter is not YAML in line"]),
        ("---\nwhen: 2026-99-99\n---\nHi", ["the front matter is not YAML"]),
        ("---\n- x\n---\nHi", ["the front matter must be keys and values"]),
        (front("arguments: who"), ["`arguments` must be a list"]),
        (front("arguments: [{title: x}]"), ["argument 1 has no name; write `- name: …`"]),
        (front("arguments: [a, a]", template="{{ a }}"), ["the argument `a` is there twice"]),
        (
            front("arguments: [a b]"),
            ["an argument cannot be called 'a b'; use letters, digits and `_`, and no word of a language"],
        ),
        (
            front("arguments: [{name: a, defualt: x}]", template="{{ a }}"),
            ["the argument `a` has the unknown key 'defualt'; the nearest is `default`"],
        ),
        (
            front("arguments: [{name: a, default: x, required: true}]", template="{{ a }}"),
            ["the argument `a` has a default, so it cannot be required"],
        ),
        (front("descripton: x"), ["the front matter has the unknown key 'descripton'; the nearest is `description`"]),
        (
            front("zzz: x"),
            [
                "the front matter has the unknown key 'zzz'; there are `id`, `title`, `description`, `version`, `argum",
            ],
        ),
        (front("title: [x]"), ["`title` must be a text"]),
        (front("tool: 1"), ["`tool` must be true or false"]),
        (front("id: a b"), ["`id` must be letters, digits, `_`, `-` and `.`, at most 100"]),
        (front("hints: fast"), ["`hints` must be keys and values"]),
        (front("hints: {temprature: 1}"), ["`hints` has the unknown key 'temprature'; the nearest is `temperature`"]),
        (front("hints: {temperature: 3}"), ["the hint `temperature` must be from 0 to 2"]),
        (front("hints: {temperature: hot}"), ["the hint `temperature` must be a number"]),
        (front("hints: {max_tokens: 0}"), ["the hint `max_tokens` must be at least 1"]),
        (front("hints: {max_tokens: true}"), ["the hint `max_tokens` must be a whole number"]),
        (front("hints: {stop: [1]}"), ["the hint `stop` must be a list of texts"]),
        (front("hints: {requirements: vision}"), ["the hint `requirements` must be keys and values"]),
        (front(template=""), ["has no text"]),
        (
            front(template="{{ who }} {{ why }}"),
            [f"uses '{n}', which is none of its arguments; declare it" for n in ("who", "why")],
        ),
        (
            front(template="{% macro m() %}{% endmacro %}"),
            ["uses `macro` in line 1 of its text; there are gaps, `if`, `for` and `set`"],
        ),
        (
            front(template="x\n{% include 'a' %}{% set y %}{% endset %}"),
            [
                f"uses `{name}` in line 2 of its text; there are gaps, `if`, `for` and `set`"
                for name in ("include", "assign")
            ],
        ),
        (
            front(template="{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}"),
            ["has a recursive loop in line 1 of its text; write a plain one"],
        ),
        (front("titel: x", "arguments: 3", template="{{ who }}"), ["titel", "`arguments` must", "uses 'who'"]),
    ],
)
async def test_everything_that_is_wrong_is_said_at_once(prompts: Prompts, text: str, problems: list[str]) -> None:
    found = await prompts.validate(text=text)

    assert not found.ok
    assert len(found.problems) == len(problems)
    assert all(said in problem for said, problem in zip(problems, found.problems, strict=True)), found.problems


@pytest.mark.parametrize("template", ["{% if %}", "{{ x | nothing }}", "{{", "{% for %}", "{{ " + "(" * 5000])
async def test_what_is_no_template_is_said_with_its_line(prompts: Prompts, template: str) -> None:
    (problem,) = (await prompts.validate(text=front(template=f"Hi\n{template}"))).problems
    assert problem.startswith("is no template (")


async def test_a_sound_prompt_has_neither_problems_nor_warnings(prompts: Prompts) -> None:
    text = front(
        "title: t", "id: x", "version: 1.2", "tool: true", "arguments: [a, {name: b, required: false}]",
        "hints: {model: m, system: s, temperature: 1, max_tokens: 9, seed: 1, stop: [x], requirements: {vision: true}}",
        template="{% for i in range(3) %}{{ a }}{{ b }}{% endfor %}",
    )  # fmt: skip
    found = await prompts.validate(text=text)

    assert (found.id, found.problems, found.warnings) == ("x", (), ())


async def test_an_argument_that_is_not_used_and_a_lacking_description_are_warnings(prompts: Prompts) -> None:
    found = await prompts.validate(text="---\narguments: [a]\n---\nHi")

    assert found.ok
    assert found.warnings == (
        "the argument 'a' is not used in its text",
        "has no description, so nobody can tell what it is for",
    )


async def test_arguments_are_looked_at_where_they_are_given(prompts: Prompts) -> None:
    text = front("arguments: [who, how]", template="{{ who }} {{ how }} {{ who.x }}")

    assert (await prompts.validate(text=text)).ok
    assert (await prompts.validate(text=text, arguments={"why": "x"})).problems == (
        "has no argument 'why'",
        "needs the argument 'who'",
        "needs the argument 'how'",
    )
    (problem,) = (await prompts.validate(text=text, arguments={"who": "a", "how": "b"})).problems
    assert problem.startswith("cannot be rendered: 'str object' has no attribute 'x'")


async def test_its_length_is_counted_with_what_fills_it_and_held_against_the_window(prompts: Prompts) -> None:
    text = front("arguments: [who]", template="Hello {{ who }}, how are you?")
    long = {"who": "lovely " * 500}
    tokens = count_text("Hello " + "lovely " * 500 + ", how are you?")

    found = await prompts.validate(text=text, arguments=long, window=tokens - 1)

    assert found.problems == (f"is about {tokens:,} tokens long, and the window has {tokens - 1:,}",)
    assert (await prompts.validate(text=text, arguments=long, window=tokens)).ok
    assert (await prompts.validate(text=text, window=30)).ok
    claude = await prompts.validate(text=text, arguments=long, model="claude-sonnet-4-5")
    assert claude.tokens is not None
    assert claude.tokens > tokens


async def test_a_prompt_that_is_there_is_found_by_its_id_wherever_it_comes_from(tmp_path: Path, db: Database) -> None:
    (tmp_path / "bad.md").write_text("Hi {{ who }}")
    prompts = Prompts(tmp_path, db)
    await prompts.add("good", front())

    assert (await prompts.validate("good")).ok
    assert (await prompts.validate("bad")).problems == ("uses 'who', which is none of its arguments; declare it",)
    with pytest.raises(NotFound):
        await prompts.validate("nothing")
    with pytest.raises(ConfigError, match="nothing to validate"):
        await prompts.validate()


async def test_nothing_is_kept_of_a_text_that_is_validated(db: Database) -> None:
    prompts = Prompts(None, db)
    assert (await prompts.validate("tale", text=front())).ok
    with pytest.raises(NotFound):
        await prompts.history("tale")


async def test_yaml_that_unfolds_without_end_is_refused(prompts: Prompts) -> None:
    lines = [
        "a: &a [x, x]",
        *(f"{n}: &{n} [*{p}, *{p}]" for p, n in zip("abcdefghijklmnopqrstu", "bcdefghijklmnopqrstuv", strict=True)),
    ]
    found = await prompts.validate(text=front(*lines, "title: *v"))

    assert "`title` must be a text" in found.problems
    deep = await prompts.validate(text=front("title: " + "[" * 3000))
    assert deep.problems[0].startswith("the front matter is not YAML")
