"""The errors, and the sentences that they say."""

import inspect
import re

import pytest

from toolkit import errors
from toolkit.errors import AllModelsFailed, DeadlineExceeded, choices
from toolkit.messages import Attempt, Usage

ANSWERED = Attempt("small", "openai", "gpt", usage=Usage(10, 5), cost_nano_usd=2_500)
FAILED = Attempt("large", "openai", "gpt-large", error="RateLimited", message="Come back later.")


def test_the_page_of_errors_names_every_error_and_which_are_worth_a_retry() -> None:
    named = dict(re.findall(r"── (\w+)\s+(↻)?", inspect.getdoc(errors) or ""))
    classes = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.ToolkitError)
    }
    assert named.keys() == classes.keys() - {"ToolkitError"}
    assert {name for name, mark in named.items() if mark} == {name for name, kind in classes.items() if kind.retryable}


def test_that_all_models_failed_says_of_each_why_and_of_one_that_answered_nothing() -> None:
    assert (
        str(AllModelsFailed([FAILED, FAILED, ANSWERED])) == "No model answered. large: RateLimited (Come back later)."
    )
    assert str(DeadlineExceeded(2.5)) == "No answer within 2.5 s."


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "there is none"),
        (["a"], "there is 'a'"),
        (["a", "b"], "there are 'a', 'b'"),
        (map(str, range(21)), "there are " + ", ".join(f"'{n}'" for n in range(20)) + ", …"),
    ],
)
def test_what_there_is_instead_is_told_in_one_sentence(names: list[str], said: str) -> None:
    assert choices(names) == said
