"""LiteLLM's Router: a model group for each member of the chain, the next ones as its fallbacks."""

import os
from collections.abc import AsyncIterator, Sequence
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would ask the network for prices
os.environ.setdefault("LITELLM_LOG", "ERROR")

from litellm import Router

from benchmarks.contestants.worker import KEY, Limits, Member, main


class LiteLLM:
    """The Router as it comes, with the limits that all contestants are given."""

    def __init__(self, chain: Sequence[Member], limits: Limits) -> None:
        names = [member["name"] for member in chain]
        later = [{name: names[number + 1 :]} for number, name in enumerate(names[:-1])]
        self._first = names[0]
        self._total = limits["total"]
        self._router = Router(
            model_list=[
                {
                    "model_name": member["name"],
                    "litellm_params": {
                        "model": f"{member['wire']}/bench",
                        "api_base": member["url"],
                        "api_key": KEY,
                        "timeout": limits["attempt"],
                        "stream_timeout": limits["silence"],
                    },
                }
                for member in chain
            ],
            fallbacks=later,
            context_window_fallbacks=later,
            content_policy_fallbacks=later,
        )

    async def prepare(self, calls: int) -> None:
        """See `Contestant`."""

    async def whole(self, question: str) -> str:
        """See `Contestant`."""
        said: Any = await self._router.acompletion(self._first, messages=_messages(question), max_tokens=1024)
        return said.choices[0].message.content or ""

    async def stream(self, question: str) -> AsyncIterator[str]:
        """See `Contestant`."""
        chunks: Any = await self._router.acompletion(
            self._first,
            messages=_messages(question),
            max_tokens=1024,
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in chunks:
            if chunk.choices and (text := chunk.choices[0].delta.content):
                yield text

    async def close(self) -> None:
        """See `Contestant`."""


def _messages(question: str) -> Any:
    return [{"role": "user", "content": question}]


async def connect(chain: Sequence[Member], limits: Limits, folder: str) -> LiteLLM:  # noqa: ARG001 - it keeps no files
    """See `Connect`."""
    return LiteLLM(chain, limits)


if __name__ == "__main__":
    main(connect)
