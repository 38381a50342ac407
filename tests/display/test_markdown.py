import sys
from html.parser import HTMLParser
from typing import Any

import pytest

from toolkit.display import markdown
from toolkit.display.markdown import render


def test_prose_tables_and_code_are_rendered() -> None:
    html = render("**38%** and ~~not~~ `x`\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n```python\nprint(1 < 2)\n```")
    assert "<strong>38%</strong> and <s>not</s> <code>x</code>" in html
    assert '<td style="text-align:right">2</td>' in html
    assert "<pre><code>print(1 &lt; 2)\n</code></pre>" in html


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "![beacon](https://example.com/a.png)",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](/api/shutdown)",
        "[x](vbscript:a)",
        "<https://example.com/\"onmouseover='alert(1)'>",
        '[x](https://example.com "a\\" onmouseover=\\"alert(1)")',
        '```"><script>alert(1)</script>\nx\n```',
        '| a |\n|---|\n| <iframe src="//example.com"> |',
        "<svg/onload=alert(1)>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<style>*{background:url(//example.com)}</style>",
    ],
)
def test_what_a_model_writes_cannot_run_or_fetch_anything(attack: str) -> None:
    html = render(attack)
    tags = Tags(html)
    assert not tags.names & {"script", "img", "iframe", "svg", "style", "object", "embed", "form", "input"}
    assert tags.attributes <= {"href", "title", "rel", "target", "start", "style"}
    assert all(link.startswith(("https://", "http://", "mailto:")) for link in tags.links)


def test_raw_html_and_pictures_are_shown_as_text() -> None:
    assert render("a <b>c</b>") == "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n"
    assert "!<a " in render("![beacon](https://example.com/a.png)")


def test_a_link_opens_outside_and_tells_nothing_of_where_it_was() -> None:
    html = render("[docs](https://example.com/a)")
    assert 'href="https://example.com/a"' in html
    assert 'target="_blank"' in html
    assert 'rel="noopener noreferrer"' in html


def test_half_an_answer_is_rendered_too() -> None:
    assert "<code>print(" in render("Look:\n\n```python\nprint(")


def test_without_the_extra_the_text_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nh3", None)
    markdown._renderer.cache_clear()
    try:
        assert render("**a** <script>") == '<pre class="toolkit-text">**a** &lt;script&gt;</pre>'
    finally:
        markdown._renderer.cache_clear()


class Tags:
    """What a browser would make of HTML: the names of its elements and attributes."""

    def __init__(self, html: str) -> None:
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        seen = self

        class Parser(HTMLParser):
            def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
                seen.names.add(tag)
                seen.attributes.update(name for name, _ in attrs)
                seen.links += [value for name, value in attrs if name == "href"]

        Parser().feed(html)
