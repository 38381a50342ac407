import threading
from typing import Any

import pytest

from notebooks.widgets.entry import Entry


class Sent:
    """What was sent, in order, with a way to wait for it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.any = threading.Event()

    def __call__(self, text: str) -> None:
        self.texts.append(text)
        self.any.set()


@pytest.fixture
def sent() -> Sent:
    return Sent()


def entry(sent: Sent, **options: Any) -> Entry:
    return Entry("Message", "Ask something…", "Send", sent, **options)


def enter(line: Entry) -> None:
    line.text._handle_custom_msg({"event": "submit"}, [])


def test_enter_sends_the_text_that_arrives_after_it(sent: Sent) -> None:
    line = entry(sent)
    enter(line)
    assert sent.texts == []
    line.text.value = "hello"
    assert sent.texts == ["hello"]


def test_enter_sends_the_newest_text_once(sent: Sent) -> None:
    line = entry(sent)
    line.text.value = "half"
    enter(line)
    line.text.value = "half and the rest"
    threading.Event().wait(0.4)  # longer than the grace that a newer text has
    assert sent.texts == ["half and the rest"]


def test_enter_sends_a_text_that_had_arrived_before(sent: Sent) -> None:
    line = entry(sent)
    line.text.value = "again"
    enter(line)
    assert sent.any.wait(5)
    assert sent.texts == ["again"]


def test_leaving_the_line_sends_nothing(sent: Sent) -> None:
    line = entry(sent)
    line.text.value = "not yet"
    assert sent.texts == []


def test_the_button_sends_at_once(sent: Sent) -> None:
    line = entry(sent)
    line.text.value = "hello"
    line.button.click()
    assert sent.texts == ["hello"]


def test_an_empty_line_is_not_sent(sent: Sent) -> None:
    line = entry(sent)
    line.button.click()
    enter(line)
    line.text.value = "  "
    assert sent.texts == []


def test_an_enter_long_ago_does_not_send_a_text_written_later(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    line = entry(sent)
    enter(line)
    monkeypatch.setattr("notebooks.widgets.entry.time.monotonic", lambda: float("inf"))
    line.text.value = "much later"
    assert sent.texts == []


def test_a_button_that_has_something_else_to_do_sends_nothing(sent: Sent) -> None:
    line = entry(sent, on_press=lambda: True)
    line.text.value = "hello"
    line.button.click()
    assert sent.texts == []


def test_the_line_has_a_label_for_screen_readers(sent: Sent) -> None:
    assert entry(sent).text.description == "Message"
