"""What a model is told of a long conversation: its end, and a summary of its beginning where there is one."""

from toolkit.messages import Message
from toolkit.models.tokens import count_message
from toolkit.sessions.memory import Memory
from toolkit.sessions.session import Summary


def turns(number: int) -> list[Message]:
    """Questions and answers of about ten tokens each."""
    said = []
    for n in range(1, number + 1):
        said += [Message("user", f"question {n} is as long as it is"), Message("assistant", f"answer {n} to it")]
    return said


def tokens(messages: list[Message]) -> int:
    return sum(map(count_message, messages))


def test_without_a_bound_everything_is_told() -> None:
    history = turns(3)
    memory = Memory(history)
    assert memory.told(history) == history
    assert memory.trimmed == 0


def test_what_does_not_fit_is_left_out_and_counted() -> None:
    history = turns(4)
    memory = Memory(history)
    memory.room = tokens(history[4:])
    assert memory.told(history) == history[4:]
    assert memory.trimmed == 4


def test_a_summary_stands_after_the_instructions_for_what_it_sums_up() -> None:
    history = turns(4)
    rules = Message("system", "Be brief.")
    memory = Memory(history, Summary(4, "They spoke of 1 and 2."))
    memory.room = tokens([rules, *history[4:]]) + 25
    told = memory.told([rules, *history])
    assert told[0] == rules
    assert told[1].role == "system"
    assert told[1].text.endswith("They spoke of 1 and 2.")
    assert told[2:] == history[4:]


def test_a_summary_is_not_told_while_everything_fits() -> None:
    history = turns(2)
    memory = Memory(history, Summary(2, "They spoke of 1."))
    memory.room = 10_000
    assert memory.told(history) == history


def test_a_pinned_message_is_told_beside_the_summary_of_its_turn() -> None:
    history = turns(4)
    history[0] = Message("user", history[0].text, pinned=True)
    memory = Memory(history, Summary(4, "…"))
    memory.room = tokens(history[4:]) + 25
    assert history[0] in memory.told(history)
    assert history[1] not in memory.told(history)


def test_more_is_summed_up_than_must_be_so_that_it_holds_for_some_turns() -> None:
    history = turns(20)
    memory = Memory(history)
    memory.room = tokens(history) - 1
    untold, until = memory.untold(history)
    assert len(untold) > 2
    assert until == len(untold)
    memory.summary = Summary(until, "…")
    assert memory.untold(history) == ([], 0)
    assert memory.untold([*history, *turns(1)]) == ([], 0)


def test_only_what_is_new_is_summed_up_again() -> None:
    history = turns(20)
    memory = Memory(history, Summary(4, "…"))
    memory.room = tokens(history[20:])
    untold, until = memory.untold(history)
    assert untold == history[4:until]


def test_less_fits_where_the_tokens_of_the_model_are_shorter() -> None:
    history = turns(8)
    memory = Memory(history)
    memory.room = tokens(history[4:])
    told = memory.told(history)
    memory.model = "claude-haiku-5-5"
    assert 0 < len(memory.told(history)) < len(told)
