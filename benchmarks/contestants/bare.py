"""The vendors' own SDKs, as they come, with their own retries; a second client is asked when the first one raises."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from benchmarks.contestants.worker import KEY, Limits, Member, main


class _Client(Protocol):
    async def whole(self, question: str) -> str: ...
    def stream(self, question: str) -> AsyncIterator[str]: ...
    async def close(self) -> None: ...


class _OpenAI:
    def __init__(self, url: str, limits: Limits) -> None:
        from openai import AsyncOpenAI  # noqa: PLC0415 - only the SDK that is measured

        self._client = AsyncOpenAI(api_key=KEY, base_url=url, timeout=limits["attempt"])

    async def whole(self, question: str) -> str:
        said = await self._client.chat.completions.create(
            model="bench", messages=[{"role": "user", "content": question}]
        )
        return said.choices[0].message.content or ""

    async def stream(self, question: str) -> AsyncIterator[str]:
        chunks = await self._client.chat.completions.create(
            model="bench",
            messages=[{"role": "user", "content": question}],
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in chunks:
            if chunk.choices and (text := chunk.choices[0].delta.content):
                yield text

    async def close(self) -> None:
        await self._client.close()


class _Anthropic:
    def __init__(self, url: str, limits: Limits) -> None:
        from anthropic import AsyncAnthropic  # noqa: PLC0415 - only the SDK that is measured

        self._client = AsyncAnthropic(api_key=KEY, base_url=url, timeout=limits["attempt"])

    async def whole(self, question: str) -> str:
        said = await self._client.messages.create(
            model="bench", max_tokens=1024, messages=[{"role": "user", "content": question}]
        )
        return "".join(block.text for block in said.content if block.type == "text")

    async def stream(self, question: str) -> AsyncIterator[str]:
        events = await self._client.messages.create(
            model="bench", max_tokens=1024, messages=[{"role": "user", "content": question}], stream=True
        )
        async for event in events:
            if event.type == "content_block_delta" and event.delta.type == "text_delta" and event.delta.text:
                yield event.delta.text

    async def close(self) -> None:
        await self._client.close()


class Bare:
    """The clients in order. A stream that breaks after its first word is not begun again: its reader has seen it."""

    def __init__(self, chain: Sequence[Member], limits: Limits) -> None:
        self._clients = [_client(member, limits) for member in chain]

    async def prepare(self, calls: int) -> None:
        """See `Contestant`."""

    async def whole(self, question: str) -> str:
        """See `Contestant`."""
        for client in self._clients[:-1]:
            try:
                return await client.whole(question)
            except Exception:  # noqa: BLE001 - what else does a caller know of a client's failure
                continue
        return await self._clients[-1].whole(question)

    async def stream(self, question: str) -> AsyncIterator[str]:
        """See `Contestant`."""
        for client in self._clients[:-1]:
            begun = False
            try:
                async for piece in client.stream(question):
                    begun = True
                    yield piece
                return
            except Exception:
                if begun:
                    raise
        async for piece in self._clients[-1].stream(question):
            yield piece

    async def close(self) -> None:
        """See `Contestant`."""
        for client in self._clients:
            await client.close()


def _client(member: Member, limits: Limits) -> _Client:
    return (_OpenAI if member["wire"] == "openai" else _Anthropic)(member["url"], limits)


async def connect(chain: Sequence[Member], limits: Limits, folder: str) -> Bare:  # noqa: ARG001 - it keeps no files
    """See `Connect`."""
    return Bare(chain, limits)


if __name__ == "__main__":
    main(connect)
