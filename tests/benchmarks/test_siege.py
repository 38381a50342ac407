from collections import Counter

import pytest

from benchmarks.siege_clients import Acknowledged, Book
from benchmarks.siege_gateway import Outcome, figures
from benchmarks.siege_keep import Kept, Said, complaints
from benchmarks.siege_vendor import Vendors, answer, question

ONE, TWO = "s1.c0.1", "s1.c1.1"


def turn(token: str, call: str) -> list[Said]:
    return [Said("user", question(token), call), Said("assistant", answer(token), call)]


def book(*tokens: str) -> Book:
    """Of one session, in which these were acknowledged; each token's call is called after it."""
    book = Book()
    book.sessions.append("a")
    book.acknowledged += [Acknowledged(token, "a", token) for token in tokens]
    return book


def judged(book: Book, said: list[Said], answers: Counter[str]) -> list[str]:
    told = {"a": [(each.role, each.text) for each in said]}
    return complaints(book, Kept({"a": said}, answers), told)


def test_turns_that_are_there_once_with_their_rows_are_no_complaint_though_nobody_heard_of_one() -> None:
    assert judged(book(ONE), turn(ONE, ONE) + turn(TWO, TWO), Counter([ONE, TWO])) == []


@pytest.mark.parametrize(
    ("said", "answers", "word"),
    [
        ([], Counter([ONE]), "0 messages"),
        (turn(ONE, ONE) * 2, Counter([ONE]), "there 2 times"),
        (turn(ONE, ONE), Counter[str](), "the ledger has 0"),
        (turn(ONE, ONE), Counter([ONE, ONE]), "the ledger has 2"),
        (turn(ONE, ONE)[:1], Counter([ONE]), "middle of a turn"),
        ([*turn(ONE, ONE)[:1], *turn(TWO, ONE)[1:]], Counter([ONE]), "a wrong turn"),
    ],
)
def test_what_is_lost_double_or_wrong_is_told(said: list[Said], answers: Counter[str], word: str) -> None:
    assert word in " ".join(judged(book(ONE), said, answers))


def test_a_session_that_a_replica_tells_otherwise_is_told() -> None:
    kept = Kept({"a": turn(ONE, ONE)}, Counter([ONE]))
    assert complaints(book(ONE), kept, {"a": []}) == ["session a is told otherwise than it is kept"]


def test_the_vendors_go_on_with_an_answer_that_was_begun_and_notice_another_sessions_words() -> None:
    def asked(*messages: tuple[str, str]) -> str:
        body = {"model": "gpt-4o", "messages": [{"role": role, "content": text} for role, text in messages]}
        return vendors.reply(body)

    vendors = Vendors(1)
    before = [("user", question(ONE)), ("assistant", answer(ONE))]
    assert asked(*before, ("user", question(TWO))) == answer(TWO)
    begun = answer(TWO)[:20]
    assert begun + asked(*before, ("user", question(TWO)), ("assistant", begun), ("user", "Go on.")) == answer(TWO)
    whole = asked(("user", question(TWO)), ("assistant", answer(TWO)), ("user", "Repeat <<<the end>>>."))
    assert whole == "the end"  # for a model that has nothing to add must say something
    assert vendors.complaints == []
    asked(("user", question("s2.c0.1")), ("assistant", answer("s2.c0.1")), ("user", question(TWO)))
    assert "['s1', 's2']" in vendors.complaints[0]


def test_the_figures_are_those_of_all_phases() -> None:
    told = book(ONE)
    told.phases[0].seconds += [0.1, 0.3]
    told.begin("replica killed")
    told.phases[1].seconds.append(0.2)
    told.phases[1].refused["503"] += 2
    told.phases[1].longest = 7.0
    shown = figures(Outcome(told, [], 0, {"a": (90.0, 100.0)}, 60.0))
    assert (shown["requests"], shown["answered"], shown["refused"], shown["longest_wait"]) == (5, 3, {"503": 2}, 7.0)
    assert [phase["p50_ms"] for phase in shown["phases"]] == [200, 0]
