"""pydantic-ai's FallbackModel, asked directly: an agent would only add to it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import ModelRequest, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from benchmarks.contestants.worker import KEY, Limits, Member, main


class PydanticAI:
    """The models in order."""

    def __init__(self, chain: Sequence[Member], limits: Limits) -> None:
        first, *later = (_model(member) for member in chain)
        self._model = FallbackModel(first, *later) if later else first
        self._settings: Any = {"timeout": limits["attempt"], "max_tokens": 1024}

    async def prepare(self, calls: int) -> None:
        """See `Contestant`."""

    async def whole(self, question: str) -> str:
        """See `Contestant`."""
        said = await model_request(self._model, _messages(question), model_settings=self._settings)
        return "".join(part.content for part in said.parts if isinstance(part, TextPart))

    async def stream(self, question: str) -> AsyncIterator[str]:
        """See `Contestant`."""
        async with model_request_stream(self._model, _messages(question), model_settings=self._settings) as events:
            async for event in events:
                text = ""
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    text = event.part.content
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    text = event.delta.content_delta
                if text:
                    yield text

    async def close(self) -> None:
        """See `Contestant`."""


def _model(member: Member) -> Any:
    if member["wire"] == "openai":
        return OpenAIChatModel("bench", provider=OpenAIProvider(base_url=member["url"], api_key=KEY))
    return AnthropicModel("bench", provider=AnthropicProvider(base_url=member["url"], api_key=KEY))


def _messages(question: str) -> Any:
    return [ModelRequest.user_text_prompt(question)]


async def connect(chain: Sequence[Member], limits: Limits, folder: str) -> PydanticAI:  # noqa: ARG001 - it keeps no files
    """See `Connect`."""
    return PydanticAI(chain, limits)


if __name__ == "__main__":
    main(connect)
