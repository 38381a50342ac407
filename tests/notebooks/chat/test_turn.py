from notebooks.chat.transcript import Transcript
from notebooks.chat.turn import Turn, turns_of
from toolkit.display.words import dollars, seconds, tokens
from toolkit.messages import Attempt, CalledTool, Delta, Message, Reply, ToolCall, Usage

FAILED = Attempt("small", "openai", "gpt", "QuotaExceeded", "The account behind OPENAI_API_KEY has no money left")
ANSWERED = Attempt("careful", "anthropic", "claude", usage=Usage(1204, 312), cost_nano_usd=8_300_000)


def reply(*attempts: Attempt, text: str = "Paris.") -> Reply:
    return Reply(Message("assistant", text), attempts[-1].name, attempts, "id", milliseconds=2412.3)


def answered(*attempts: Attempt) -> Turn:
    turn = Turn("Where?")
    turn.add(Delta("Par"))
    turn.add(Delta("is.", reply=reply(*attempts)))
    return turn


def test_the_foot_says_who_answered_what_it_cost_and_how_long_it_took() -> None:
    html = answered(ANSWERED).html()
    foot = html[html.index("toolkit-foot") :]
    for said in ("careful", "1\u202f204 in · 312 out", "$0.0083", "2.4 s"):
        assert f"<span>{said}</span>" in foot


def test_a_fallback_is_named_with_its_reason() -> None:
    html = answered(FAILED, ANSWERED).html()
    assert "fell back from small" in html
    assert "small: The account behind OPENAI_API_KEY has no money left" in html


def test_a_second_try_of_the_same_model_is_no_fallback() -> None:
    again = Attempt("careful", "anthropic", "claude", "ProviderUnavailable", "Overloaded")
    html = answered(again, ANSWERED).html()
    assert "tried again" in html
    assert "fell back" not in html


def test_a_first_answer_has_no_badge() -> None:
    assert "toolkit-badge" not in answered(ANSWERED).html()


def test_an_answer_that_begins_again_voids_what_was_shown() -> None:
    turn = Turn("Where?")
    turn.add(Delta("Lond"))
    turn.add(Delta("Par", restarted=True))
    assert turn.text == "Par"


def test_a_growing_answer_is_marked_as_busy_and_a_whole_one_is_not() -> None:
    turn = Turn("Where?")
    assert "waiting for the first word" in turn.html()
    turn.add(Delta("Par"))
    assert 'role="log" aria-live="polite" aria-busy="true"' in turn.html()
    assert 'aria-busy="false"' in answered(ANSWERED).html()


def test_what_a_person_or_an_error_says_is_text() -> None:
    html = Turn("<b>?", state="failed", error="<i>no</i>").html()
    assert "&lt;b&gt;?" in html
    assert "&lt;i&gt;no&lt;/i&gt;" in html


def test_an_unknown_cost_is_never_zero() -> None:
    assert [dollars(x) for x in (None, 0.0, 2e-7, 0.0083, 0.25, 3.456)] == [
        "cost unknown",
        "$0",
        "under $0.000001",
        "$0.0083",
        "$0.25",
        "$3.46",
    ]


def test_figures_read_the_same_everywhere() -> None:
    assert tokens(1_234_567, 0) == "1\u202f234\u202f567 in · 0 out"
    assert [seconds(x) for x in (41.4, 2412.3)] == ["41 ms", "2.4 s"]


def test_a_transcript_is_markdown_without_times() -> None:
    stopped = Turn("And then?", text="Then", state="stopped")
    assert Transcript([answered(FAILED, ANSWERED), stopped]) == (
        "**You:** Where?\n\n**Assistant:**\n\nParis.\n\n"
        "*careful · fell back from small · 1\u202f204 in · 312 out · $0.0083*\n\n"
        "**You:** And then?\n\n**Assistant:**\n\nThen\n\n*stopped*"
    )


def test_a_transcript_shows_what_a_model_wrote_only_as_safe_html() -> None:
    html = Transcript([Turn("Hi", text="<img src=x onerror=alert(1)>", state="answered")])._repr_html_()
    assert "<img" not in html
    assert "&lt;img" in html
    assert not hasattr(Transcript, "_repr_markdown_")  # a notebook's own Markdown would run it


def test_a_stored_conversation_is_read_with_what_tools_said() -> None:
    stored = [
        Message("system", "Be short."),
        Message("user", "How much?"),
        Message("assistant", "Let me see.", tool_calls=(ToolCall("1", "usage", {}),)),
        Message("tool", "12", tool_call_id="1"),
        Message("assistant", "Twelve."),
        Message("user", "Thanks"),
    ]
    assert [(turn.question, turn.text) for turn in turns_of(stored)] == [("How much?", "Twelve."), ("Thanks", "")]
    (step,) = turns_of(stored)[0].steps
    assert (step.text, step.called) == ("Let me see.", (CalledTool(ToolCall("1", "usage", {}), "12"),))
