import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.display.browsing import Seen
from toolkit.display.markdown import render
from toolkit.display.math import ATTRIBUTES, MOST_CHARACTERS, TAGS, mathml

COMMANDS = [
    *(r"\frac", r"\sqrt", r"\left(", r"\right)", r"\begin{matrix}", r"\end{matrix}", r"\text{", r"\hat", r"\over"),
    *("{", "}", "_", "^", "&", r"\\", "x", "1", "'", "<b>", '"', r"\color{red}", r"\rule{1em}{2em}", r"\verb|", "|"),
    *(r"\hspace{-9999px}", r"\displaystyle ", r"\not", r"\limits", r"\operatorname{a}", r"\mathbf", r"\mbox{a $", "$"),
]


@pytest.mark.parametrize("formula", ["$x_1*y*z_2$", r"\(x_1*y*z_2\)", "$$x_1*y*z_2$$", r"\[x_1*y*z_2\]"])
def test_all_four_ways_to_write_a_formula_are_read(formula: str) -> None:
    html = render(f"So {formula} is.")
    assert html.count("<math") == 1
    assert "<em>" not in html


@pytest.mark.parametrize("formula", ["$$\n{}\n$$", "\\[\n{}\n\\]", "$${}$$", "\\[{}\\]", "$$ {}\n$$", "$$\n{}$$"])
@pytest.mark.parametrize("place", ["{}", "Prose before\n{}\nand after", "- item\n\n  {}", "> {}"])
def test_a_formula_on_lines_of_its_own_is_set_apart(formula: str, place: str) -> None:
    written = place.replace("{}", formula.replace("{}", r"\frac{a}{b}"))
    if place == "> {}":
        written = written.replace("\n", "\n> ")
    elif "item" in place:
        written = "\n  ".join(written.split("\n  ", 1)[0:1] + written.split("\n  ", 1)[1].split("\n"))
    html = render(written)
    assert '<math display="block"><mrow><mfrac>' in html
    assert "$" not in html


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $7.",
        "between $5 and 10$ a day",
        "US$5 or A$7",
        "from $5–$7, or $5-$7",
        "$HOME/bin:$PATH",
        "a $ b $ c",
        r"\$x\$ and \$y",
        "`$x$` is code",
        "```\n$x$\n```",
        r"see \(the note below\) and \[1, 2\] and \[a\](b)",
        "$10 million was more than 20$ in all",
        "$$ is the id of a shell's process",
        "$",
        "$$",
    ],
)
def test_prices_variables_and_escaped_brackets_stay_text(text: str) -> None:
    assert "<math" not in render(text)


@pytest.mark.parametrize(
    "formula", ["$5x = 10$", "$5$", "$a < b$", "$n-1$", r"$100\,\text{kg of it}$", "$ABC$", "$a\\$b$"]
)
def test_a_formula_may_look_like_a_price(formula: str) -> None:
    assert "<math" in render(formula)


@pytest.mark.parametrize(
    "latex",
    [
        r"\nosuchcommand x",
        r"\frac{a}",
        r"\left( x",
        "x" * (MOST_CHARACTERS + 1),
        r"\sqrt" * 390,
        "{" * 900 + "}" * 900,
        r"\newcommand{\a}{\b\b}\newcommand{\b}{\c\c}\a",
        r"\def\a{\a\a}\a",
        r"\href{https://example.com}{x}",
    ],
)
def test_what_is_not_understood_too_long_or_too_deep_is_shown_as_it_is_written(latex: str) -> None:
    assert mathml(latex, block=False) is None
    assert Seen(render(f"$${latex}$$")).text_of("code") == f"$${latex}$$"


def test_what_stands_in_a_formula_is_text() -> None:
    written = mathml(r"\text{<img src=x onerror=alert(1)> & &#x3c;b>}", block=False)
    assert written is not None
    assert set(re.findall(r"<(\w+)", written)) == {"math", "mrow", "mtext"}
    assert "&lt;img" in written


def test_lengths_stay_small_and_styles_and_colours_are_left_out() -> None:
    written = mathml(r"\hspace{-999em}\rule{500em}{500em}\color{red}{x}\hspace{2em}y", block=False)
    assert written is not None
    assert "99" not in written
    assert "red" not in written
    assert "black" not in written
    assert 'width="2em"' in written


def test_a_matrix_and_a_sum_are_set_as_such() -> None:
    matrix = mathml(r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}", block=True)
    assert matrix is not None
    assert matrix.count("<mtd") == 4
    assert "<munderover>" in str(mathml(r"\sum_{i=1}^n x_i", block=True))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(COMMANDS), max_size=40).map("".join), st.booleans())
def test_whatever_a_formula_says_only_what_is_on_the_lists_is_written(latex: str, block: bool) -> None:
    seen = Seen(mathml(latex, block=block) or "")
    assert seen.names <= TAGS
    assert seen.attributes.keys() <= ATTRIBUTES
