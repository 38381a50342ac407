"""Both of OpenAI's wires on one connection: chat completions, and responses for the models that speak nothing else."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, get_args

from toolkit.errors import ConfigError, choices
from toolkit.messages import ChatRequest, Completion, Delta, Embeddings
from toolkit.providers.base import Structured
from toolkit.providers.wire.chat import ChatCompletions
from toolkit.providers.wire.chat_batch import ChatBatches
from toolkit.providers.wire.responses import Responses

Api: TypeAlias = Literal["chat", "responses"]

_RESPONSES_ONLY: Final = re.compile(
    r"(?:o\d|gpt-\d)[\w.-]*-(?:pro|codex|deep-research|cyber|rosalind)(?![a-z])"
    r"|gpt-(?:daybreak|rosalind)-|codex-|computer-use-"
)
"""The names of models that OpenAI serves by responses only. Its SDK lists them: those that its type `ResponsesModel`
(openai/types/shared/responses_model.py, 3.52) has beyond `ChatModel`, and their like. A name with a vendor before a
slash is a gateway's, and gateways translate."""


class Either:
    """A provider that asks each model on the wire that it speaks.

    Args:
        chat: the wire of most models.
        responses: the wire of the others, on the same connection.
        api: the wire for all models, whatever their names; None tells them apart.
        family: OpenAI's name of the model, where the vendor's name of it is the user's own.
    """

    def __init__(
        self, chat: ChatCompletions, responses: Responses, api: Api | None = None, *, family: str | None = None
    ) -> None:
        self._chat = chat
        self._responses = responses
        self._api = api
        self._family = family

    def wire(self, model: str) -> ChatCompletions | Responses:
        """The wire that `model` is asked on."""
        is_responses = self._api == "responses" if self._api else _RESPONSES_ONLY.match(self._family or model)
        return self._responses if is_responses else self._chat

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        """Ask `model` once and wait, at most `timeout` seconds, for the whole answer."""
        return await self.wire(model).complete(request, model, timeout=timeout)

    def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncIterator[Delta]:
        """Ask `model` once; pieces as they come, the last one with the whole `completion`."""
        return self.wire(model).stream(request, model, timeout=timeout)

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        """One vector per text, in order."""
        return await self._chat.embed(texts, model, timeout=timeout)

    @property
    def batches(self) -> ChatBatches:
        """The vendor's batches, which are asked on the wire of most models."""
        return self._chat.batches

    async def close(self) -> None:
        """Let go of the connection."""
        await self._chat.close()


def structured(model: str) -> Structured:
    """How OpenAI's model of that name, there or at Azure, answers in a schema: the first ones know no form for it."""
    if re.match(r"o1-(?:mini|preview)", model):
        return "instruction"  # and no tools either
    return "tool" if re.match(r"gpt-(?:35|3\.5|4o-2024-05-13|4(?![o.\d]))", model) else "native"


def api(provider: str, config: Mapping[str, Any]) -> Api | None:
    """The wire that a model's row asks for as `api`, None if it leaves it to the model's name.

    Raises:
        ConfigError: there is no such wire.
    """
    asked = config.get("api")
    if asked is None:
        return None
    if asked not in get_args(Api):
        raise ConfigError(f"The api of a model at {provider} is {asked!r}; {choices(get_args(Api))}.")
    found: Api = asked
    return found
