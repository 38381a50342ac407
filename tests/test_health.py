"""Health says what cannot work, and tells that apart from what is only worse."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from toolkit import Toolkit, health
from toolkit.settings import Settings
from toolkit.stamps import now
from toolkit.testing.faults import Fault
from toolkit.testing.vendors import VendorServer


@pytest.fixture
async def tk(database_url: str) -> AsyncIterator[Toolkit]:
    """On a file and on Postgres."""
    async with Toolkit.open(settings=Settings.from_env({}, database_url=database_url)) as opened:
        yield opened


async def test_every_check_has_a_name_a_verdict_and_a_time(tk: Toolkit) -> None:
    report = await tk.health()
    assert report["status"] == "ready"
    assert {"database", "migrations", "models"} <= report["checks"].keys()
    assert ("disk" in report["checks"]) is (tk.db.dialect == "sqlite")
    for check in report["checks"].values():
        assert check["ok"] is True
        assert check["milliseconds"] >= 0


async def test_tables_of_a_newer_version_are_not_the_ones_that_this_one_knows(tk: Toolkit) -> None:
    await tk.db.execute(
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (9999, '9999_more', 'x', :at)",
        at=now(),
    )
    try:
        report = await tk.health()
    finally:
        await tk.db.execute("DELETE FROM schema_migrations WHERE version = 9999")
    assert report["status"] == "unready"
    assert "version 9999" in report["checks"]["migrations"]["message"]


async def test_tables_that_lack_a_change_are_told_with_the_command_that_mends_it(tk: Toolkit) -> None:
    [last] = await tk.db.fetch_all("SELECT * FROM schema_migrations ORDER BY version DESC LIMIT 1")
    await tk.db.execute("DELETE FROM schema_migrations WHERE version = :version", version=last["version"])
    try:
        report = await tk.health()
    finally:
        await tk.db.execute(
            "INSERT INTO schema_migrations (version, name, checksum, applied_at) "
            "VALUES (:version, :name, :checksum, :at)",
            version=last["version"],
            name=last["name"],
            checksum=last["checksum"],
            at=now(),
        )
    assert report["status"] == "unready"
    assert last["name"] in report["checks"]["migrations"]["message"]
    assert "toolkit migrate" in report["checks"]["migrations"]["message"]


async def test_a_full_disk_is_told_before_writes_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Toolkit.open(settings=Settings.from_env({}, database_url=f"sqlite:///{tmp_path}/work.db")) as tk:
        assert (await tk.health())["checks"]["disk"]["free_bytes"] == pytest.approx(
            shutil.disk_usage(tmp_path).free, rel=0.5
        )
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=health.LEAST_FREE - 1))
        report = await tk.health()
    assert report["status"] == "unready"
    assert (
        report["checks"]["disk"]["message"]
        == "63 MB are free where work.db lies, and 64 MB are needed; make room there."
    )


@pytest.mark.parametrize("slow", ["database", "models"])
async def test_a_check_that_hangs_is_reported_as_failed_and_holds_nobody_up(
    slow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(health, "SECONDS", 0.05)
    async with Toolkit.open(settings=Settings.from_env({}, database_url="sqlite://")) as tk:
        place: Any = tk.db if slow == "database" else tk.models
        monkeypatch.setattr(place, "fetch_one" if slow == "database" else "chain", hang)
        async with asyncio.timeout(10):
            report = await tk.health()
    assert report["status"] == "unready"
    assert report["checks"][slow]["message"] == "It did not answer within 0.05 seconds."
    assert ("models" in report["checks"]) is (slow == "models"), "who would ask a database that does not answer?"


async def test_opening_goes_on_where_a_probe_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SECONDS", 0.05)
    tk = Toolkit.open(settings=Settings.from_env({}, database_url="sqlite://"))
    go, begun, start = asyncio.Event(), 0, tk.start

    async def slowly() -> None:
        nonlocal begun
        begun += 1
        await go.wait()
        await start()

    monkeypatch.setattr(tk, "start", slowly)
    assert [(await tk.health())["status"] for _ in range(2)] == ["unready", "unready"]
    go.set()
    monkeypatch.setattr(health, "SECONDS", 10)
    assert (await tk.health())["status"] == "ready"
    assert begun == 1
    await tk.close()


async def test_the_last_resort_counts_and_the_message_says_that_there_is_nobody_else() -> None:
    async with Toolkit.open(settings=Settings.from_env({}, database_url="sqlite://")) as tk:
        await tk.models.add("openai", "gpt-4o-mini", name="keyless")
        check = (await tk.health())["checks"]["models"]
    assert check["ok"]
    assert check["message"].startswith("Only offline can answer")
    assert "keyless lacks OPENAI_API_KEY" in check["message"]


async def test_models_of_which_each_rests_or_lacks_a_key_are_none() -> None:
    async with VendorServer() as vendors:
        env = {name: value for name, value in vendors.environ().items() if name.startswith("OPENAI")}
        async with Toolkit.open(settings=Settings.from_env(env, database_url="sqlite://")) as tk:
            for model in await tk.models.list():
                await tk.models.remove(model.name)
            await tk.models.add("openai", "gpt-4o-mini", name="resting")
            await tk.models.add("anthropic", "claude-haiku-4-5", name="keyless")
            assert (await tk.health())["status"] == "ready"
            vendors.fail("openai", Fault.status(401, "Who are you?"))
            with pytest.raises(Exception, match="resting"):
                await tk.complete("Anyone?", model="resting")
            report = await tk.health()
    assert report["status"] == "unready"
    said = report["checks"]["models"]["message"]
    assert "resting rests, because it failed" in said
    assert "keyless lacks ANTHROPIC_API_KEY" in said


async def test_a_redis_that_is_away_is_told_because_who_is_limited_gets_no_answer() -> None:
    environ = {"TOOLKIT_REDIS_URL": "redis://127.0.0.1:9", "TOOLKIT_RATE_LIMIT_RPM": "60"}
    settings = Settings.from_env(environ, database_url="sqlite://")
    async with Toolkit.open(settings=settings) as tk:
        report = await tk.health()
    assert report["status"] == "unready"
    assert not report["checks"]["limits"]["ok"]
    assert "127.0.0.1:9" in report["checks"]["limits"]["message"]


async def test_a_redis_that_is_away_and_limits_nobody_is_no_reason_not_to_be_ready() -> None:
    settings = Settings.from_env({"TOOLKIT_REDIS_URL": "redis://127.0.0.1:9"}, database_url="sqlite://")
    async with Toolkit.open(settings=settings) as tk:
        assert (await tk.health())["status"] == "ready"


@pytest.mark.parametrize("check", ["ledger", "prompts", "cache", "tools"])
async def test_what_answers_can_do_without_is_checked_and_does_not_make_it_unready(check: str) -> None:
    async with Toolkit.open(settings=Settings("sqlite://")) as tk:
        tk.usage.last_failure = tk.prompts.last_failure = tk.cache.last_failure = "It is broken."
        report = await tk.health()
    assert report["status"] == "ready"
    assert report["checks"][check]["ok"] is (check == "tools")
