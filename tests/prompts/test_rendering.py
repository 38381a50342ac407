"""Filling in: what fills a gap stays text, and nothing breaks out or grows without bound."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import ConfigError
from toolkit.prompts import rendering
from toolkit.prompts.prompt import prompt_of
from toolkit.prompts.rendering import fill


def render(template: str, **arguments: Any) -> str:
    named = ", ".join(arguments)
    text = f"---\narguments: [{named}]\n---\n{template}"
    return fill(prompt_of(text, called="trial", source="folder", path=Path("trial.md")), arguments)


@pytest.mark.parametrize(
    "hostile",
    [
        "{{ 7*7 }}",
        "{% for i in range(10) %}x{% endfor %}",
        "{{ x }}",
        "{# gone #}",
        "{% raw %}",
        "{{ ''.__class__ }}",
        "---\ntitle: other\n---",
        "<b>&amp;</b>",
        "\\n%s {0}",
    ],
)
def test_what_fills_a_gap_is_text_and_no_template(hostile: str) -> None:
    assert render("a {{ x }} {{ x | upper }} {{ x ~ x }} z", x=hostile) == (
        f"a {hostile} {hostile.upper()} {hostile}{hostile} z"
    )
    assert render("{% set y = x %}a {{ y | default('') }} z", x=hostile) == f"a {hostile} z"


@dataclass
class Person:
    name: str = "Ada"
    _secret: str = "s3cret"
    papers: list[str] = field(default_factory=lambda: ["a", "b"])

    def fire(self) -> str:
        return "fired"


@pytest.mark.parametrize(
    "template",
    [
        "{{ x.__class__ }}",
        "{{ x['__class__'] }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ x | map(attribute='__class__') | list }}",
        "{{ [x] | map(attribute='__class__') | first }}",
        "{{ [x] | map(attribute='_secret') | join }}",
        "{{ x._secret }}",
        "{{ x.fire() }}",
        "{{ x.fire }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ '{x}'.format_map({'x': x}) }}",
        "{{ x.papers.append('c') }}",
        "{{ self }}",
        "{{ self.__init__ }}",
        "{{ range.__globals__ }}",
        "{{ cycler }}",
        "{{ lipsum() }}",
        "{{ namespace(a=1) }}",
        "{{ joiner }}",
        "{{ x | attr('__class__') }}",
        "{{ x | pprint }}",
        "{{ x }}",
        "{{ [x] }}",
        "{{ x | tojson }}",
        "{% for i in [1] %}{{ loop._iterator }}{% endfor %}",
        "{% for i in [1] %}{{ loop }}{% endfor %}",
    ],
)
def test_there_is_no_way_to_pythons_own_attributes_or_to_a_function(template: str) -> None:
    with pytest.raises(ConfigError, match="The prompt trial cannot be rendered"):
        render(template, x=Person())


def test_data_of_an_argument_may_be_read() -> None:
    template = "{{ x.name }}: {{ x.papers | join(', ') }} {{ y.k }} {{ y['k'] }} {{ y.items() | list | length }}"
    assert render(template, x=Person(), y={"k": "v"}) == "Ada: a, b v v 1"


def test_what_prompts_need_of_jinja_is_there() -> None:
    assert render("{% for i in x %}{{ loop.index }}{{ i }}{{ ',' if not loop.last }}{% endfor %}", x="ab") == "1a,2b"
    assert render("{{ x | indent(2, true) }}", x="a\n\nb") == "a\n\n  b"  # a prompt has no blanks at its edges
    assert render("-{{ x | indent(2) | replace('b', 'c') }}", x="a\nb") == "-a\n  c"
    assert render("{{ x | tojson }} {{ 2 * 3 + 1 }} {{ 'a' in x }}", x=["a", "ö"]) == '["a", "ö"] 7 True'
    assert render("{% if x is defined and x | length > 1 %}yes{% else %}no{% endif %}", x="ab") == "yes"
    assert render("{{ x.split(',') | map('trim') | join('|') }}", x="a, b") == "a|b"


@pytest.mark.parametrize(
    "template",
    [
        "{% for i in range(10**9) %}{% endfor %}",
        "{% for i in range(1000000000) %}x{% endfor %}",
        "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
        "{{ range(9999999) | join }}",
        "{{ 'x' * 1000000000 }}",
        "{{ 1000000000 * 'x' }}",
        "{{ [0] * 1000000000 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'x' | center(1000000000) }}",
        "{{ 'x'.center(1000000000) }}",
        "{{ 'x'.ljust(1000000000) }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ 'a\nb' | indent(1000000000) }}",
        "{{ [1] | tojson(indent=1000000000) }}",
        "{% set s = 'xxxxxxxxxxxxxxxx' %}" + "{% set s = s ~ s %}" * 40 + "{{ s }}",
        "{% set s = 'xxxxxxxxxxxxxxxx' %}" + "{% set s = s + s %}" * 40 + "{{ s }}",
        "{% set s = 'xxxxxxxxxxxxxxxx' %}" + "{% set s = s | replace('x', s) %}" * 40 + "{{ s }}",
        "{% set s = 'xxxxxxxxxxxxxxxx' %}" + "{% set s = [s, s] | join %}" * 40 + "{{ s }}",
        "{% set s = [1, 2] %}" + "{% set s = s + s %}" * 40,
        "{% set s = [1, 2] %}" + "{% set s = [s, s] %}" * 60 + "{{ s }}",
        "{% set s = [1, 2] %}" + "{% set s = [s, s] %}" * 60 + "{{ s | tojson }}",
        "{% set s = [1, 2] %}" + "{% set s = [s, s] %}" * 60 + "{{ s | join }}",
        "{% set n = 99999999 %}" + "{% set n = n * n %}" * 60,
        "{% for i in range(9999) %}" + "x" * 1000 + "{% endfor %}",
        "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}",
        "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% set s %}{% for i in range(9999) %}xxxx{% endfor %}{% endset %}",
    ],
)
def test_a_loop_without_end_and_a_text_that_grows_end_with_a_sentence(template: str) -> None:
    with pytest.raises(ConfigError, match=r"^The prompt trial cannot be rendered: .+\.$"):
        render(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 / 0 }}",
        "{{ x.missing }}",
        "{{ x['y'] }}",
        "{{ x + 1 }}",
        "{% include 'other.md' %}",
        "{% import 'other.md' as o %}",
        "{% extends 'other.md' %}",
        "{% block b %}{% endblock %}",
        "{{ x | nothing }}",
        "{{ x(1) }}",
        "{% for i in 5 %}{% endfor %}",
    ],
)
def test_a_template_cannot_break_down(template: str) -> None:
    with pytest.raises(ConfigError, match="The prompt trial cannot be rendered"):
        render(template, x="text")


def test_long_arguments_are_taken_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(render("{{ x }}", x="x" * 1_000_000)) == 1_000_000
    monkeypatch.setattr(rendering, "MOST_CHARACTERS", 1000)
    with pytest.raises(ConfigError, match="grows beyond 1,000 characters"):
        render("{{ x }}", x="x" * 1001)


def test_a_rendering_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "MOST_SECONDS", 0.0)
    with pytest.raises(ConfigError, match="takes longer than 0 s"):
        render("{% for i in range(3) %}x{% endfor %}")


def test_one_rendering_does_not_pay_for_another() -> None:
    for _ in range(8):
        assert len(render("{% for i in range(9999) %}x{% endfor %}")) == 9999
