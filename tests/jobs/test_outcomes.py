"""Errors that are kept and come back as what they were."""

import inspect
import json
from typing import Any

import pytest

from toolkit import errors
from toolkit.errors import (
    AllModelsFailed,
    AnswerInvalid,
    BudgetExceeded,
    DeadlineExceeded,
    ProviderError,
    RateLimited,
    StreamInterrupted,
    ToolkitError,
)
from toolkit.jobs.outcomes import error_from_json, error_json
from toolkit.messages import Attempt, Usage

ATTEMPTS = (Attempt("small", "openai", "gpt", error="RateLimited", message="Wait.", status=429),)
CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ToolkitError)]


def made(kind: type[ToolkitError]) -> ToolkitError:
    if issubclass(kind, ProviderError):
        return kind("Wait.", provider="openai", status=429, request_id="req_1", retry_after=2.5)
    special: dict[type[ToolkitError], Any] = {
        StreamInterrupted: lambda: StreamInterrupted("It broke off.", text="Pa", attempts=ATTEMPTS),
        AllModelsFailed: lambda: AllModelsFailed(ATTEMPTS),
        DeadlineExceeded: lambda: DeadlineExceeded(3.0, ATTEMPTS),
        BudgetExceeded: lambda: BudgetExceeded("Spent.", retry_after=60.0),
        AnswerInvalid: lambda: AnswerInvalid("No.", text="{}", errors=["x is missing"], attempts=ATTEMPTS),
    }
    error: ToolkitError = special.get(kind, lambda: kind("A sentence."))()
    return error


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_comes_back_as_its_own_class_with_all_that_it_said(kind: type[ToolkitError]) -> None:
    error = made(kind)
    back = error_from_json(json.loads(json.dumps(error_json(error))))
    assert type(back) is kind
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_the_tokens_of_an_answer_that_broke_off_come_back() -> None:
    error = RateLimited("Wait.", provider="openai")
    error.usage = Usage(5, 7)
    back = error_from_json(error_json(error))
    assert isinstance(back, RateLimited)
    assert (back.usage, back.retry_after, back.status) == (Usage(5, 7), None, None)


def test_an_error_of_somebody_elses_comes_back_as_the_nearest_of_ours() -> None:
    class Theirs(RateLimited):
        pass

    assert type(error_from_json(error_json(Theirs("Wait.", provider="x")))) is RateLimited


def test_an_error_of_a_later_version_comes_back_as_an_error() -> None:
    back = error_from_json({"error": "Overheated", "message": "Too hot.", "degrees": 90})
    assert (type(back), str(back)) == (ToolkitError, "Too hot.")


def test_an_error_that_is_kept_holds_no_secret() -> None:
    error = ToolkitError("The key sk-abcdefghijklmnopqrstuvwxyz123456 was refused.")
    assert "abcdefghijklmnopqrstuvwxyz" not in json.dumps(error_json(error))
