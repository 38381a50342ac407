"""Web pages as Markdown."""

from textwrap import dedent

import pytest

from toolkit.search.reading.decoding import decode
from toolkit.search.reading.html import TooDeep, read_html
from toolkit.search.reading.pages import read_page


def markdown(html: str) -> str:
    return read_html(html).text


def test_headings_paragraphs_lists_quotes_tables_and_code_are_kept() -> None:
    html = dedent("""\
        <h1>Birds &amp; <em>more</em><a class="headerlink" href="#b">¶</a></h1>
        <p>They <b>fly</b>
           far,<br>and <code>x &lt; y</code>.
        <p>Second.
        <ul><li>one<li>two<ul><li>deep</ul><li><p>three</p></ul>
        <ol><li>first<li>second</ol>
        <pre><code class="language-python">def f():
            return 1 &lt; 2

        f()</code></pre>
        <table><tr><th>Name<th>Year<tr><td>Ada<td>18|15</table>
        <blockquote>Said</blockquote>
        <dl><dt>Term<dd>Meaning</dl>
        <p># no heading
        <p><img src=x alt="A heron">
        """)
    assert markdown(html) == dedent("""\
        # Birds & more

        They fly far,
        and `x < y`.

        Second.

        - one
        - two
          - deep
        - three

        1. first
        2. second

        ```python
        def f():
            return 1 < 2

        f()
        ```

        | Name | Year |
        |---|---|
        | Ada | 18\\|15 |

        > Said

        Term

        Meaning

        \\# no heading

        A heron""")


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>alert('x')</script>",
        "<style>p { x: y }</style>",
        "<nav><a>x</a></nav>",
        "<footer>x</footer>",
        "<template>x</template>",
        "<noscript>x</noscript>",
        "<svg><text>x</text></svg>",
        "<select><option>x</select>",
        "<p hidden>x</p>",
        '<div aria-hidden="true">x</div>',
        '<div role="navigation">x</div>',
        "<!-- x -->",
    ],
)
def test_what_is_no_text_of_the_page_is_left_out(hidden: str) -> None:
    assert markdown(f"<p>before</p>{hidden}<p>after</p>") == "before\n\nafter"


def test_the_main_part_is_taken_where_it_is_marked_and_holds_the_text() -> None:
    around = "<div>Around the page</div>"
    for marked in ("<main>{}</main>", '<div role="main">{}</div>', "<article>{}</article>"):
        assert markdown(f"{around}{marked.format('<p>The text of this page.</p>')}") == "The text of this page."
    assert markdown(f"<main></main>{around}") == "Around the page"
    assert markdown("<article>One</article><article>Two</article>") == "One\n\nTwo"


def test_a_table_that_only_puts_things_beside_one_another_is_none() -> None:
    html = "<table><tr><td><h1>Title</h1><p>Words</p></td><td><table><tr><td>a<td>b</table></td></tr></table>"
    assert markdown(html) == "# Title\n\nWords\n\n| a | b |"


def test_a_page_says_its_title_and_the_language_of_its_words() -> None:
    page = read_html('<html lang="de-AT"><title> Der \n Reiher </title><h1>Anders</h1>')
    assert (page.title, page.lang) == ("Der Reiher", "de")
    assert read_html("<p>x</p><h2>Only a heading</h2>").title == "Only a heading"


def test_code_within_code_is_fenced_longer_and_its_language_is_found_around_it() -> None:
    html = '<div class="highlight-rust notranslate"><div class="highlight"><pre>\n```\nlet x;\n</pre></div></div>'
    assert markdown(html) == "````rust\n```\nlet x;\n````"


def test_each_line_knows_the_lines_and_bytes_it_was_made_of() -> None:
    lines = ["<h1>Über", "uns</h1>", "<ul>", "<li>eins &ndash; zwei", "<li>drei", "</ul>"]
    lines += ["<pre>", "a &lt;", "", "b", "</pre>"]
    html = "\r\n".join(lines)
    content = read_page(decode(html.encode("utf-16")))
    known = content.source_map
    assert known is not None
    assert known.starts is not None
    assert known.ends is not None
    assert known.firsts is not None
    data = html.encode("utf-16")
    found = {
        line: (data[start:end].decode("utf-16-le"), first)
        for line, start, end, first in zip(
            content.text.split("\n"), known.starts, known.ends, known.firsts, strict=True
        )
        if start >= 0
    }
    assert found == {
        "# Über uns": ("Über\r\nuns", 1),
        "- eins – zwei": ("eins &ndash; zwei", 4),
        "- drei": ("drei", 5),
        "a <": ("a &lt;\r\n\r\nb", 8),
        "b": ("a &lt;\r\n\r\nb", 8),
    }


def test_a_text_that_the_parser_moved_is_kept_without_a_place() -> None:
    content = read_page(decode(b"<p>first</p><table>moved<tr><td>cell</table><p>last</p>"))
    assert content.text == "first\n\nmoved\n\n| cell |\n\nlast"


@pytest.mark.parametrize("html", ["<div>" * 20_000, "".join(f"<b a={n}>" for n in range(3_000)) + "<p>x" * 2_000])
def test_a_page_that_nobody_wrote_is_refused_before_it_is_parsed(html: str) -> None:
    with pytest.raises(TooDeep):
        read_html(html)


@pytest.mark.parametrize("part", ["<!--", "<script>", "<", "&", "<p>", "<p>é<b>é</b>", "<x y='", "<a><p>"])
def test_no_page_takes_long(part: str) -> None:
    # What looks at the rest of the page again and again takes minutes here, and the timeout of the suite fails it.
    try:
        read_html(part * (500_000 // len(part)))
    except TooDeep:
        return
