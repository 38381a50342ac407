import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.display.browsing import Seen
from toolkit.display import code, markdown, math
from toolkit.display.markdown import MOST_CHARACTERS, pieces, render

HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "![beacon](https://example.com/a.png)",
    "[x](javascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](/api/shutdown)",
    "[x](//example.com)",
    "[x](vbscript:a)",
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    "<https://example.com/\"onmouseover='alert(1)'>",
    '[x](https://example.com "a\\" onmouseover=\\"alert(1)")',
    '```"><script>alert(1)</script>\nx\n```',
    '```python" onclick="alert(1)\nx\n```',
    '| a |\n|---|\n| <iframe src="//example.com"> |',
    "<svg/onload=alert(1)>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<style>*{background:url(//example.com)}</style>",
    r"$\text{<img src=x onerror=alert(1)>}$",
    r"$\text{</mtext></math><script>alert(1)</script>}$",
    r"$\text{&#x3c;script>alert(1)</script>}$",
    r"$$\href{javascript:alert(1)}{x}$$",
    r"\(\style{position:fixed;inset:0}{x}\)",
    r"\(\class{mathjax_process}{x}\)",
    r"$\color{red;background:url(//example.com)}x$",
    r"$\unicode{x3c}script>$",
    r"\[\begin{array}{c}\text{\"><script>alert(1)</script>}\end{array}\]",
    r"$<script>alert(1)</script>$",
    r"$\rule{999em}{999em}$ $\hspace{-999em}x$ $\raise{999em}x$",
    r"$\operatorname{<b onclick=a>}$ $\verb|<b onclick=a>|$ $\mbox{<b>$<i>$}$",
    "- [x] <input autofocus onfocus=alert(1)>",
    '<div class="mathjax_process">$\\href{javascript:alert(1)}{x}$</div>',
]


def test_prose_tables_and_code_are_rendered() -> None:
    html = render("**38%** and ~~not~~ `x`\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n```python\nprint(1 < 2)\n```")
    assert "<strong>38%</strong> and <s>not</s> <code>x</code>" in html
    assert '<td style="text-align:right">2</td>' in html
    assert Seen(html).text_of("pre") == "print(1 < 2)\n"


@pytest.mark.parametrize("attack", HOSTILE)
@pytest.mark.parametrize("place", ["{}", "- {}", "> {}", "**{}**", "|a|\n|-|\n|{}|", "# {}", "text {} text", "`{}"])
def test_what_a_model_writes_cannot_run_or_fetch_anything(attack: str, place: str) -> None:
    assert_inert(render(place.replace("{}", attack)))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=12)), max_size=5).map("".join))
def test_no_text_at_all_becomes_anything_that_runs(text: str) -> None:
    assert_inert(render(text))


def test_a_notebook_is_told_not_to_typeset_what_is_rendered_already() -> None:
    for text in ("$\\href{javascript:alert(1)}{x}$", "x" * (MOST_CHARACTERS + 1)):
        assert "tex2jax_ignore mathjax_ignore" in render(text).partition(">")[0]


def test_raw_html_and_pictures_are_shown_as_text() -> None:
    assert "<p>a &lt;b&gt;c&lt;/b&gt;</p>" in render("a <b>c</b>")
    assert "!<a " in render("![beacon](https://example.com/a.png)")


def test_a_link_opens_outside_and_tells_nothing_of_where_it_was() -> None:
    html = render("[docs](https://example.com/a)")
    assert 'href="https://example.com/a"' in html
    assert 'target="_blank"' in html
    assert 'rel="noopener noreferrer"' in html


def test_half_an_answer_is_rendered_too() -> None:
    assert Seen(render("Look:\n\n```python\nprint(")).text_of("pre") == "print("
    assert "<code>$$\nx^2 +</code>" in render("Look:\n\n$$\nx^2 +")


def test_without_the_extra_the_text_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nh3", None)
    markdown._renderer.cache_clear()
    try:
        assert Seen(render("**a** <script>")).text_of("pre") == "**a** <script>"
    finally:
        markdown._renderer.cache_clear()


def test_items_that_are_to_do_have_boxes_that_a_screen_reader_reads() -> None:
    html = render("- [ ] ask\n- [x] **read**\n- [y] no")
    assert '<li class="toolkit-task"><span role="img" aria-label="to do">☐</span> ask</li>' in html
    assert '<span role="img" aria-label="done">☑</span> <strong>read</strong>' in html
    assert "[y] no" in html


ALLOWED = markdown._TAGS | math.TAGS
REST = {"role", "aria-label", "tabindex", *math.ATTRIBUTES}
CLASSES = {
    *("tex2jax_ignore", "mathjax_ignore", "toolkit-markdown", "toolkit-text", "toolkit-task", "toolkit-formula"),
    *("toolkit-code", "toolkit-language", *code.CLASSES),
}
BLOCKS = [
    "Some *prose* with $x^2$.",
    "two\nlines",
    "# Head",
    "- one\n- two",
    "1. first\n\n   still first",
    "- a\n  ```py\n  x\n\n  y\n  ```",
    "```python\nx = 1\n\ny = 2\n```",
    "~~~\n```\n\na\n~~~",
    "```\nnever closed\n\nb",
    "  ```\nc\n\nd\n  ```",
    "$$\nx\n$$",
    "$$\nunclosed",
    "> quote",
    "    indented\n\n    code",
    "| a |\n|--|\n| 1 |",
    "[link]",
    "[link]: https://example.com",
    "---",
    "* * *",
    "**bold** start",
    "```a`b\n\nno fence",
    "```\nclosed within\n   ```",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(BLOCKS), max_size=7), st.sampled_from(["\n\n", "\n\n\n", "\n \n", "\n"]))
def test_a_text_that_is_rendered_piece_by_piece_reads_as_if_it_were_not(blocks: list[str], between: str) -> None:
    text = between.join(blocks)
    assert "".join(pieces(text)) == text
    whole = markdown._parser().render(text, {"growing": True})
    parts = [markdown._parser().render(piece, {"growing": False}) for piece in pieces(text)[:-1]]
    last = markdown._parser().render(pieces(text)[-1], {"growing": True})
    assert "".join([*parts, last]) == whole


@pytest.mark.parametrize(
    "pattern",
    [
        "[",
        "[](",
        "![](",
        "[a][",
        "*a **b ",
        "_a",
        "`",
        "<",
        "> ",
        "* * a\n",
        "$",
        "$$ ",
        "$a ",
        "\\(",
        "\\[\n",
        "|a|b\n",
        "(",
    ],
)
def test_a_text_made_to_hang_a_renderer_is_rendered(pattern: str) -> None:
    assert_inert(render(pattern * (20_000 // len(pattern))))


def test_what_is_far_too_long_is_shown_as_text() -> None:
    assert Seen(render("*a* " * MOST_CHARACTERS)).text_of("pre").startswith("*a* *a*")


def test_half_a_character_does_no_harm() -> None:
    assert "a?b" in render("a\ud800b")


def assert_inert(html: str) -> None:
    """Nothing in `html` runs, fetches, or looks like a part of the page around it."""
    seen = Seen(html)
    assert not seen.names - ALLOWED
    assert not {name for name in seen.attributes if name.startswith("on")}
    assert seen.attributes.keys() <= {"class", "href", "title", "rel", "target", "start", "style", *REST}
    assert all(link.startswith(("https://", "http://", "mailto:")) for link in seen.attributes.get("href", ()))
    assert all(style.startswith("text-align:") for style in seen.attributes.get("style", ()))
    assert not {name for names in seen.attributes.get("class", ()) for name in names.split()} - CLASSES
