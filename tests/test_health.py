"""Health says what cannot work, and tells that apart from what is only worse."""

import pytest

from toolkit import Toolkit
from toolkit.settings import Settings


async def test_a_redis_that_is_away_is_told_because_who_is_limited_gets_no_answer() -> None:
    environ = {"TOOLKIT_REDIS_URL": "redis://127.0.0.1:9", "TOOLKIT_RATE_LIMIT_RPM": "60"}
    settings = Settings.from_env(environ, database_url="sqlite://")
    async with Toolkit.open(settings=settings) as tk:
        health = await tk.health()
    assert health["status"] == "unready"
    assert not health["checks"]["limits"]["ok"]
    assert "127.0.0.1:9" in health["checks"]["limits"]["message"]


async def test_a_redis_that_is_away_and_limits_nobody_is_no_reason_not_to_be_ready() -> None:
    settings = Settings.from_env({"TOOLKIT_REDIS_URL": "redis://127.0.0.1:9"}, database_url="sqlite://")
    async with Toolkit.open(settings=settings) as tk:
        assert (await tk.health())["status"] == "ready"


@pytest.mark.parametrize("check", ["ledger", "prompts", "cache", "tools"])
async def test_what_answers_can_do_without_is_checked_and_does_not_make_it_unready(check: str) -> None:
    async with Toolkit.open(settings=Settings("sqlite://")) as tk:
        tk.usage.last_failure = tk.prompts.last_failure = tk.cache.last_failure = "It is broken."
        health = await tk.health()
    assert health["status"] == "ready"
    assert health["checks"][check]["ok"] is (check == "tools")
