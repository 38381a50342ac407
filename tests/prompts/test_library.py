"""Prompts: files with gaps."""

import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.errors import ConfigError, NotFound
from toolkit.messages import NOT_IN_SOURCES
from toolkit.prompts.library import OWN, Prompt, PromptArgument, Prompts

GREETING = """---
title: A greeting
description: Greets someone.
arguments:
  - name: who
    description: Whom to greet.
  - name: how
    required: false
  - mood
---
Hello {{ who }}{% if how %} {{ how }}{% endif %}, be {{ mood }}.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "greeting.md").write_text(GREETING)
    return tmp_path


@pytest.fixture
def prompts(folder: Path) -> Prompts:
    return Prompts(folder)


def test_a_prompt_tells_what_it_is_and_what_it_takes(prompts: Prompts) -> None:
    assert prompts.get("greeting") == Prompt(
        name="greeting",
        title="A greeting",
        description="Greets someone.",
        arguments=(
            PromptArgument("who", "Whom to greet."),
            PromptArgument("how", "", required=False),
            PromptArgument("mood"),
        ),
        template="Hello {{ who }}{% if how %} {{ how }}{% endif %}, be {{ mood }}.",
    )


def test_the_gaps_are_filled_and_an_optional_one_may_stay_empty(prompts: Prompts) -> None:
    assert prompts.render("greeting", who="Ada", mood="kind") == "Hello Ada, be kind."
    assert prompts.render("greeting", who="Ada", how="dear", mood="kind") == "Hello Ada dear, be kind."


def test_what_fills_a_gap_is_text_and_no_template(prompts: Prompts) -> None:
    assert prompts.render("greeting", who="{{ mood }} <b>&", mood="x") == "Hello {{ mood }} <b>&, be x."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"who": "Ada"}, "The prompt greeting needs the argument 'mood'; it takes who, how, mood."),
        ({"who": "a", "mood": "b", "hwo": "c"}, "The prompt greeting has no argument 'hwo'; it takes who, how, mood."),
    ],
)
def test_a_missing_or_unknown_argument_is_named(prompts: Prompts, arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        prompts.render("greeting", **arguments)
    assert str(caught.value) == message


def test_a_prompt_without_arguments_says_so() -> None:
    with pytest.raises(ConfigError, match="has no argument 'x'; it takes none"):
        Prompts().render("answer_from_sources", x=1)


def test_the_list_holds_ours_and_the_users_by_name(prompts: Prompts) -> None:
    assert [prompt.name for prompt in prompts.list()] == ["answer_from_sources", "greeting"]
    assert [prompt.name for prompt in Prompts().list()] == ["answer_from_sources"]


def test_the_users_prompt_replaces_ours_of_the_same_name(prompts: Prompts, folder: Path) -> None:
    (folder / "answer_from_sources.md").write_text("Mine.")
    assert prompts.render("answer_from_sources") == "Mine."
    assert {p.name: p.template for p in prompts.list()}["answer_from_sources"] == "Mine."


def test_an_edited_prompt_counts_at_once(prompts: Prompts, folder: Path) -> None:
    prompts.get("greeting")
    (folder / "greeting.md").write_text("Bye.")
    assert prompts.render("greeting") == "Bye."


@pytest.mark.parametrize("name", ["nothing", "../errors", "/etc/passwd", "", "a\0b", "library.py"])
def test_a_prompt_that_is_not_there_is_told_with_what_there_is(prompts: Prompts, name: str) -> None:
    with pytest.raises(NotFound, match="there are 'answer_from_sources', 'greeting'"):
        prompts.get(name)


def test_a_name_does_not_lead_out_of_the_folder(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    for name in ("../greeting", f"../{folder.name}/greeting", str(folder / "greeting")):
        with pytest.raises(NotFound):
            Prompts(inner).get(name)


def test_a_file_without_front_matter_is_a_prompt_too(prompts: Prompts, folder: Path) -> None:
    (folder / "be_short.md").write_text("\ufeffBe short.\n", encoding="utf-8")
    assert prompts.get("be_short") == Prompt("be_short", "Be short", "", (), "Be short.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("---\ntitle: x\n", "begins with --- and has no second one"),
        ("---\ntitle: [x\n---\nHi", "is not YAML in line"),
        ("---\n- x\n---\nHi", "must be keys"),
        ("---\narguments: who\n---\nHi", "with a list of arguments"),
        ("---\narguments: [{title: x}]\n---\nHi", "has no name"),
        ("---\ntool: true\n---\nHi", "the unknown key 'tool'"),
        ("Hi {{ who }}", "uses 'who', which is none of its arguments"),
        ("Hi {% if %}", "is no template"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    prompts: Prompts, folder: Path, text: str, message: str
) -> None:
    (folder / "bad.md").write_text(text)
    for ask in (lambda: prompts.get("bad"), prompts.list):
        with pytest.raises(ConfigError, match=message) as caught:
            ask()
        assert str(folder / "bad.md") in str(caught.value)


def test_a_file_that_is_no_text_is_named(prompts: Prompts, folder: Path) -> None:
    (folder / "bad.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"bad\.md cannot be read"):
        prompts.get("bad")


def test_a_bad_prompt_does_not_hinder_another(prompts: Prompts, folder: Path) -> None:
    (folder / "bad.md").write_text("Hi {{ who }}")
    assert prompts.render("greeting", who="Ada", mood="kind")


@pytest.mark.parametrize(
    "template",
    [
        "{{ x.__class__.__mro__ }}",
        "{{ 1 / 0 }}",
        "{{ x.missing }}",
        "{% for i in range(999999999) %}{% endfor %}",
        "{{ x['y'] }}",
        "{{ x + 1 }}",
        "{% include 'other.md' %}",
    ],
)
def test_a_template_cannot_break_out_or_break_down(prompts: Prompts, folder: Path, template: str) -> None:
    (folder / "bad.md").write_text(f"---\narguments: [x]\n---\n{template}")
    with pytest.raises(ConfigError, match="The prompt bad cannot be rendered"):
        prompts.render("bad", x="text")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist; make it or unset TOOLKIT_PROMPTS_DIR"):
        Prompts(tmp_path / "gone").list()


def test_every_prompt_of_ours_says_what_it_is_for() -> None:
    for prompt in Prompts().list():
        assert prompt.title
        assert prompt.description.endswith(".")
        assert all(argument.description for argument in prompt.arguments)
    assert {path.stem for path in OWN.glob("*.md")} == {prompt.name for prompt in Prompts().list()}


def test_the_sentence_for_what_is_not_in_the_sources_is_the_one_that_is_recognised() -> None:
    assert NOT_IN_SOURCES in Prompts().render("answer_from_sources")


def test_jinja_and_yaml_are_imported_only_when_a_prompt_is_read() -> None:
    code = "import sys, toolkit.prompts.library as l; l.Prompts(); print({'jinja2', 'yaml'} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
