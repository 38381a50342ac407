"""The official conformance suite: against the server as it ships, and with the fixtures that the suite needs.

A scenario counts only where it made checks of its own; all of them must pass, and none may be left out.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mcp_server.conformance.suite import (
    HANDSHAKE,
    REQUIRED,
    SHIPPED,
    STATELESS,
    WANTS_A_TOOL,
    WITHOUT_CHECKS,
    Run,
    run,
)
from tests.mcp_server.serving import PLAIN, over_http

FIXTURES = [*PLAIN[:-1], "tests.mcp_server.conformance.fixtures"]
PROMPTS = {
    "test_simple_prompt": "---\ntitle: Simple\n---\nThis is a simple prompt for testing.\n",
    "test_prompt_with_arguments": (
        "---\ntitle: With arguments\narguments:\n  - {name: arg1, description: First}\n"
        "  - {name: arg2, description: Second}\n---\nPrompt with arguments: arg1='{{ arg1 }}', arg2='{{ arg2 }}'.\n"
    ),
}

SHIPPED_SCENARIOS = [(revision, name) for revision, names in SHIPPED.items() for name in names]
REQUIRED_SCENARIOS = [(revision, name) for revision, names in REQUIRED.items() for name in names]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """What the suite says of `toolkit-mcp --http`."""
    folder = tmp_path_factory.mktemp("shipped")
    with over_http(f"sqlite:///{folder / 'toolkit.db'}") as (_, url):
        yield _runs(url, folder)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """What the suite says of the same server with its fixtures."""
    folder = tmp_path_factory.mktemp("fitted")
    for name, text in PROMPTS.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    env = {"TOOLKIT_PROMPTS_DIR": str(folder)}
    with over_http(f"sqlite:///{folder / 'toolkit.db'}", command=FIXTURES, env=env) as (_, url):
        yield _runs(url, folder)


def _runs(url: str, folder: Path) -> dict[str, Run]:
    runs = {}
    for revision in (HANDSHAKE, STATELESS):
        (folder / revision).mkdir()
        runs[revision] = run(f"{url}/mcp", revision, folder / revision)
    return runs


@pytest.mark.parametrize(("revision", "scenario"), SHIPPED_SCENARIOS)
def test_the_server_as_it_ships_passes_what_any_server_can_be_held_to(
    shipped: dict[str, Run], revision: str, scenario: str
) -> None:
    _assert_passed(shipped[revision], scenario)


@pytest.mark.parametrize(("revision", "scenario"), REQUIRED_SCENARIOS)
def test_the_same_server_with_the_fixtures_of_the_suite_passes_everything_that_is_required(
    fitted: dict[str, Run], revision: str, scenario: str
) -> None:
    _assert_passed(fitted[revision], scenario)


@pytest.mark.parametrize("revision", REQUIRED)
def test_no_scenario_that_the_suite_runs_is_left_out(fitted: dict[str, Run], revision: str) -> None:
    assert set(fitted[revision].checks) - set(WITHOUT_CHECKS) == set(REQUIRED[revision])


def test_the_server_as_it_ships_keeps_all_rules_of_the_stateless_revision_that_can_be_tried_on_it(
    shipped: dict[str, Run],
) -> None:
    found = shipped[STATELESS]
    assert len(found.own("server-stateless")) > len(WANTS_A_TOOL)
    untried = {complaint.split(":")[0] for complaint in found.complaints("server-stateless")}
    assert untried == WANTS_A_TOOL


def _assert_passed(found: Run, scenario: str) -> None:
    assert scenario in found.checks, found.log[-2000:]
    assert found.own(scenario), "it made no check of its own"
    assert found.complaints(scenario) == []
