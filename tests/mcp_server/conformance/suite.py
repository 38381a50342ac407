"""The scenarios of the official conformance suite, and one run of it."""

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mcp_server.conformance import node

HANDSHAKE, STATELESS = "2025-11-25", "2026-07-28"

SHIPPED = {
    HANDSHAKE: (
        "server-initialize",
        "server-session-lifecycle",
        "ping",
        "tools-list",
        "resources-list",
        "prompts-list",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
    ),
    STATELESS: (
        "tools-list",
        "resources-list",
        "prompts-list",
        "server-sse-multiple-streams",
        "sep-2164-resource-not-found",
        "dns-rebinding-protection",
        "caching",
        "http-header-validation",
        "input-required-result-unsupported-methods",
    ),
}
"""What any server can be held to, by the revision at which it is asked."""

TASKS = (
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-mrtr-input",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
    "tasks-required-task-error",
    "tasks-mrtr-composition",
)

REQUIRED = {
    HANDSHAKE: (
        *SHIPPED[HANDSHAKE],
        "json-schema-2020-12",
        "logging-set-level",
        "completion-complete",
        "tools-call-simple-text",
        "tools-call-image",
        "tools-call-audio",
        "tools-call-embedded-resource",
        "tools-call-mixed-content",
        "tools-call-with-logging",
        "tools-call-error",
        "tools-call-with-progress",
        "tools-call-sampling",
        "tools-call-elicitation",
        "elicitation-sep1034-defaults",
        "elicitation-sep1330-enums",
        "resources-read-text",
        "resources-read-binary",
        "resources-templates-read",
        "resources-subscribe",
        "resources-unsubscribe",
        "prompts-get-simple",
        "prompts-get-with-args",
        "prompts-get-embedded-resource",
        "prompts-get-with-image",
    ),
    STATELESS: (
        *SHIPPED[STATELESS],
        *TASKS,
        "server-stateless",
        "json-schema-2020-12",
        "http-custom-header-server-validation",
        "completion-complete",
        "tools-call-simple-text",
        "tools-call-image",
        "tools-call-audio",
        "tools-call-embedded-resource",
        "tools-call-mixed-content",
        "tools-call-error",
        "tools-call-with-progress",
        "resources-read-text",
        "resources-read-binary",
        "resources-templates-read",
        "prompts-get-simple",
        "prompts-get-with-args",
        "prompts-get-embedded-resource",
        "prompts-get-with-image",
        "input-required-result-basic-elicitation",
        "input-required-result-basic-sampling",
        "input-required-result-basic-list-roots",
        "input-required-result-request-state",
        "input-required-result-multiple-input-requests",
        "input-required-result-multi-round",
        "input-required-result-missing-input-response",
        "input-required-result-non-tool-request",
        "input-required-result-result-type",
        "input-required-result-tampered-state",
        "input-required-result-capability-check",
        "input-required-result-ignore-extra-params",
        "input-required-result-validate-input",
    ),
}
"""What the revisions require, tasks and what the suite calls pending included."""

WITHOUT_CHECKS = {
    "server-sse-polling": "it is about streams that are resumed, which the revision after it removed",
    "tasks-status-notifications": "the suite itself skips it: it has no check yet",
}
"""What the suite runs as well, and why nothing is counted of it."""

WANTS_A_TOOL = {
    "sep-2575-server-rejects-undeclared-capability",
    "sep-2575-missing-capability-http-400",
    "sep-2575-http-server-no-independent-requests-on-stream",
    "sep-2575-server-no-log-without-loglevel",
    "sep-2575-server-sends-tools-list-changed-on-subscription",
    "sep-2575-server-sends-prompts-list-changed-on-subscription",
}
"""Checks of `server-stateless` that need a tool of the suite's; with the fixtures they count."""

_OF_THE_WIRE = "wire-schema-"  # checks of whatever was sent: they pass where nothing else was tried


@dataclass(frozen=True)
class Run:
    """What one run of the suite has found.

    Attributes:
        checks: by scenario.
        log: what the suite said.
    """

    checks: dict[str, list[dict[str, Any]]]
    log: str

    def own(self, scenario: str) -> list[dict[str, Any]]:
        """The checks that a scenario made itself."""
        return [check for check in self.checks[scenario] if not check["id"].startswith(_OF_THE_WIRE)]

    def complaints(self, scenario: str) -> list[str]:
        """What did not pass, those that were left out among it."""
        return [
            f"{check['id']}: {check['status']} {check.get('errorMessage', '')}"
            for check in self.checks[scenario]
            if check["status"] not in ("SUCCESS", "INFO")
        ]


def run(url: str, revision: str, folder: Path) -> Run:
    """Run all that a revision requires against the server at `url`."""
    command = [*node.command(node.SUITE), "server", "--url", url, "--requirements", revision, "-o", str(folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=100, env=node.environment(), cwd=folder, check=False
    )
    checks = {}
    for path in folder.glob("server-*/checks.json"):
        found = re.fullmatch(r"server-(.+)-\d{4}-\d\d-\d\dT.*", path.parent.name)
        assert found, path
        checks[found[1]] = json.loads(path.read_text(encoding="utf-8"))
    return Run(checks, done.stdout + done.stderr)
