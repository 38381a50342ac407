"""Who hears whom a question is waiting for."""

import asyncio

from toolkit.models.news import heard_by
from toolkit.toolkit import Toolkit


async def test_whoever_listens_hears_each_model_that_is_asked_and_who_failed_before() -> None:
    heard: list[str] = []
    async with Toolkit.open("sqlite://") as tk:
        await tk.models.add("scripted", "a", name="broken", priority=1, config={"say": [{"error": "QuotaExceeded"}]})
        await tk.models.add("scripted", "b", name="next", priority=2, config={"say": ["Hello."]})
        with heard_by(heard.append):
            await asyncio.create_task(tk.complete("Who are you?"))
        await tk.complete("Who are you?")
    assert heard == ["asking broken", "asking next; broken failed (QuotaExceeded)"]
