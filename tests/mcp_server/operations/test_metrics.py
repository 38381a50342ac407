"""What a Prometheus reads, over a real port."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.mcp_server.serving import ERAS, over_http


@pytest.fixture(scope="module")
def served(database: str) -> Iterator[str]:
    with over_http(database, "--tools", "sessions", env={"TOOLKIT_SLOW_QUERY_MS": "1"}) as (_, url):
        yield url


def scraped(url: str) -> dict[str, float]:
    answer = httpx2.get(f"{url}/metrics")
    assert answer.status_code == 200
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_it_counts_what_the_database_did(served: str) -> None:
    before = scraped(served)
    async with Client(f"{served}/mcp", mode=ERAS["2025-11-25"]) as client:
        for _ in range(3):
            await client.call_tool("create_session", {})
    after = scraped(served)

    assert after["toolkit_db_writes_total"] >= before["toolkit_db_writes_total"] + 3
    assert after["toolkit_db_commits_total"] >= before["toolkit_db_commits_total"] + 1
    assert after["toolkit_db_connections/idle"] + after["toolkit_db_connections/busy"] >= 1
    assert after["toolkit_db_connections_max"] >= 1
    assert after["toolkit_db_waiting"] == 0


async def test_a_connection_that_waits_for_another_program_is_busy_and_its_statement_slow(
    served: str, database: str
) -> None:
    async with Client(f"{served}/mcp", mode=ERAS["2025-11-25"]) as client:
        await client.call_tool("create_session", {})
        before = scraped(served)
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            call = asyncio.create_task(client.call_tool("create_session", {}))
            while not scraped(served)["toolkit_db_connections/busy"]:  # noqa: ASYNC110 - another process is asked
                await asyncio.sleep(0.01)
            other.execute("ROLLBACK")
        await call
    assert scraped(served)["toolkit_db_slow_statements_total"] > before["toolkit_db_slow_statements_total"]


def test_it_speaks_open_metrics_to_who_asks_for_it(served: str) -> None:
    answer = httpx2.get(f"{served}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = {family.name for family in openmetrics.text_string_to_metric_families(answer.text)}  # type: ignore[no-untyped-call]  # it has no types
    assert "toolkit_db_writes" in families


def test_before_the_database_is_open_everything_is_zero(tmp_path: Path) -> None:
    with over_http(f"sqlite:///{tmp_path / 'unopened.db'}") as (_, url):
        found = scraped(url)
    assert found.pop("toolkit_db_connections_max") > 0
    assert found.pop("toolkit_http_requests_under_way") == 1, "the scrape itself"
    assert found.pop("process_resident_memory_bytes") > 0
    assert not any(value for name, value in found.items() if name.startswith("toolkit_"))
    assert not (tmp_path / "unopened.db").exists()
