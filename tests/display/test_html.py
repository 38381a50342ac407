import subprocess
import sys

from toolkit.display.card import Card, Code, Figure, Notes, Share, State, Table, Text, around, line
from toolkit.display.html import page
from toolkit.messages import Attempt, Message, Reply, Usage


def style(html: str) -> str:
    return html.partition("<style>")[2].partition("</style>")[0]


def test_a_page_brings_the_rules_that_it_needs_and_no_others() -> None:
    table = style(page(Card(body=(Table(("name", "state"), [("a", State("on", good=True))]),))))
    assert len(table.encode()) < 2_000
    assert "toolkit-good" in table
    assert "toolkit-answer" not in table
    assert "--tk-mark" not in table  # a colour that nothing of it has
    assert "/*" not in table
    said = style(page(Card(body=("**Yes.**",))))
    assert "toolkit-answer" in said
    assert "toolkit-table" not in said


def test_every_colour_that_a_page_uses_is_there_in_light_and_in_dark() -> None:
    rules = style(page(Card("a", {"b": State("bad", good=False)}, (Text("c", ((0, 1),)), "**d**"))))
    for name in ("--tk-bad", "--tk-mark"):
        assert rules.count(f"{name}:") == 2
    assert 'body[data-jp-theme-light="false"] .toolkit-page' in rules


def test_a_column_of_figures_stands_to_the_right_and_one_of_words_does_not() -> None:
    table = Table(
        ("name", "n", "cost", "share"), [("a", 1234, Figure("$1"), Share(0.25)), ("b", None, Figure("$2"), None)]
    )
    html = page(Card(body=(table,)))
    assert '<th>name</th><th class="toolkit-right">n</th><th class="toolkit-right">cost</th><th>share</th>' in html
    assert '<i style="--share:25%"></i>25%' in html
    assert '<td class="toolkit-right">1\u202f234</td>' in html


def test_a_total_stands_beneath_the_rows() -> None:
    html = page(Card(body=(Table(("", "n"), [("a", 1), ("b", 2)], total=("all", 3)),)))
    assert '<tfoot><tr><td>all</td><td class="toolkit-right">3</td></tr></tfoot>' in html


def test_what_is_marked_is_escaped_around_and_within_the_marks() -> None:
    html = page(Card(body=(Text("a<b> c<d>", ((1, 4),)),)))
    assert "a<mark>&lt;b&gt;</mark> c&lt;d&gt;" in html


def test_a_long_text_is_cut_and_it_is_said_how_much_is_missing() -> None:
    html = page(Card(body=(Text("x" * 5_000),)))
    assert "x" * 4_000 + "</div>" in html
    assert "… and 1,000 more characters" in html


def test_facts_that_say_nothing_are_left_out() -> None:
    html = page(Card("a", {"none": None, "no": False, "empty": "", "yes": True, "zero": 0, "path": Code("a/b")}))
    assert "none" not in html.partition("</style>")[2]
    assert "<div><dt>yes</dt></div><div><dt>zero</dt><dd>0</dd></div>" in html


def test_a_reply_shows_the_answer_who_gave_it_who_failed_and_what_it_cost_but_no_time() -> None:
    failed = Attempt("small", "openai", "gpt", "RateLimited", "Too many <requests>.", milliseconds=1234.5)
    gave = Attempt("large", "openai", "gpt", usage=Usage(1204, 312), cost_nano_usd=8_300_000, milliseconds=4321.5)
    html = Reply(
        Message("assistant", "It is **6**, $x$."), "large", (failed, gave), "id", milliseconds=5555.5
    )._repr_html_()
    assert "It is <strong>6</strong>" in html
    assert "<dt>by</dt><dd>large</dd>" in html
    assert "<summary>fell back from small</summary>" in html
    assert "<li>small: RateLimited. Too many &lt;requests&gt;.</li>" in html
    assert "1\u202f204 in · 312 out" in html
    assert "$0.0083" in html
    for time in ("1234", "4321", "5555"):
        assert time not in html


def test_notes_are_bounded() -> None:
    html = page(Card("a", body=(Notes("why", [f"line {number}" for number in range(60)]),)))
    assert "<li>line 49</li><li>… and 10 more</li>" in html


def test_the_part_of_a_text_that_is_shown_has_its_first_mark() -> None:
    text = "word " * 300 + "needle " + "word " * 300
    at = text.index("needle")
    part = around(text, ((at, at + 6),), most=200)
    ((begin, end),) = part.marks
    assert part.text[begin:end] == "needle"
    assert part.text.startswith("… word")
    assert part.text.endswith("word …")
    assert len(part.text) < 210
    assert around("short", ((0, 5),)) == Text("short", [(0, 5)])
    code = "one = 1\n" * 100 + "needle = 2\n" + "one = 1\n" * 100
    at = code.index("needle")
    assert around(code, ((at, at + 6),), code=True).text.startswith("…\none = 1\n")


def test_a_line_has_no_line_ends_and_no_more_characters_than_it_may() -> None:
    assert line("a\n\tb\x00c\u202ed") == "a b c d"
    assert len(line("x" * 1_000)) == 160
    assert line(" " * 5_000 + "x") == "…"


def test_importing_the_toolkit_loads_nothing_that_takes_long_and_is_needed_later_if_at_all() -> None:
    late = {"toolkit.display.html", "toolkit.display.markdown", "jsonschema", "nh3", "pandas", "pygments"}
    code = f"import sys, toolkit.toolkit; print(*sorted({late} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
