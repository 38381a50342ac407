"""Requests made from the document, right and wrong ones: no answer is a 5xx, and each is as it is described."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import one_of
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.mcp_server.inside import Served
from tests.mcp_server.rest.conftest import furnished

ENDLESS = ("GET", "/api/v1/events")
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
EXAMPLES = 3


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of its own, whose database is full of rubbish afterwards."""
    with furnished(tmp_path_factory.mktemp("fuzzed")) as served:
        yield served


def test_no_request_is_answered_by_a_5xx_or_otherwise_than_described(fuzzed: Served) -> None:
    schema = schemathesis.openapi.from_url(f"{fuzzed.url}/openapi.json")
    wrong, tried = [], 0
    for found in schema.get_all_operations():
        operation: APIOperation[Any, Any, Any, Any] = found.ok()  # type: ignore[union-attr]  # else it raises
        if (operation.method.upper(), operation.path) == ENDLESS:
            continue
        right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        spoilt = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

        @seed(8)
        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=one_of(right, spoilt))
        def holds(case: Case[Any]) -> None:
            nonlocal tried
            tried += 1
            case.call_and_validate(checks=CHECKS, timeout=20)

        try:
            holds()
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - every route is tried, all are told together
            wrong.append(f"{operation.label}: {error}")
    assert not wrong, "\n\n".join(wrong)
    assert tried > 60
