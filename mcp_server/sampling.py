"""The host's own model, lent to the toolkit for one call, in the words of the protocol.

Sampling is deprecated from revision 2026-07-28 on, and hosts offer it all the same; it is spoken here without the SDK's
own method for it, which warns at each call.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from mcp import MCPError
from mcp.server import ServerRequestContext
from mcp.shared.message import ServerMessageMetadata
from mcp.types import (
    ContentBlock,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    CreateMessageResultWithTools,
    ImageContent,
    ModelHint,
    ModelPreferences,
    SamplingCapability,
    SamplingMessage,
    SamplingMessageContentBlock,
    TextContent,
    Tool,
    ToolChoice,
    ToolResultContent,
    ToolUseContent,
)
from pydantic import ValidationError

from toolkit.errors import BadAnswer, ModelNotFound, ProviderTimeout
from toolkit.messages import ChatRequest, Completion, FinishReason, Image, Message, ToolCall
from toolkit.providers.host import PROVIDER

Context: TypeAlias = ServerRequestContext[Any, Any]

_WIRE = "sampling"  # the key of what the host wants back with a message
_MAX_TOKENS = 4096  # the protocol insists on a limit
_LONGEST = 200  # characters of a host's reason
_FINISH: dict[str | None, FinishReason] = {"maxTokens": "length", "toolUse": "tool_calls"}


def offered(ctx: Context) -> SamplingCapability | None:
    """What the client says it can do with its model; None where it lends none."""
    capabilities = ctx.session.client_capabilities
    return capabilities.sampling if capabilities else None


class BackChannel:
    """Asks the host by a request of our own beside its call, as the revisions with a handshake do.

    Args:
        ctx: of the call.
        sampling: what the host offers.
    """

    def __init__(self, ctx: Context, sampling: SamplingCapability) -> None:
        self.tools = sampling.tools is not None
        self._ctx = ctx

    async def __call__(self, request: ChatRequest, /, *, hint: str | None, timeout: float) -> Completion:
        """Ask once; where the time is over, the host is told that nobody waits any more."""
        try:
            async with asyncio.timeout(timeout):
                result = await self._ctx.session.send_request(
                    question(request, hint),
                    CreateMessageResultWithTools,  # without tools it has the same form
                    metadata=ServerMessageMetadata(related_request_id=self._ctx.request_id),
                )
        except TimeoutError:
            raise too_slow(timeout) from None
        except MCPError as error:
            reason = " ".join(error.message.split())[:_LONGEST].rstrip(".")
            raise ModelNotFound(
                f"The agent host did not lend its model ({reason}); use another one.", provider=PROVIDER
            ) from error
        except ValidationError as error:
            raise _unreadable() from error
        return answer(result)


def question(request: ChatRequest, hint: str | None) -> CreateMessageRequest:
    """`request` as the host is asked it. Its seed is not sent: the protocol has no word for it."""
    system = "\n\n".join(said.text for said in request.messages if said.role == "system")
    named = [tool for tool in request.tools if tool.name == request.tool_choice] or request.tools
    return CreateMessageRequest(
        params=CreateMessageRequestParams(
            messages=list(_messages(request.messages)),
            system_prompt=system or None,
            max_tokens=request.max_tokens or _MAX_TOKENS,
            temperature=request.temperature,
            stop_sequences=list(request.stop) or None,
            metadata=dict(request.extra) or None,
            model_preferences=ModelPreferences(hints=[ModelHint(name=hint)]) if hint else None,
            tools=[Tool(name=t.name, description=t.description, input_schema=t.parameters) for t in named] or None,
            tool_choice=ToolChoice(mode="required") if named and request.tool_choice else None,
        )
    )


def answer(result: object) -> Completion:
    """What the host's model said.

    Raises:
        BadAnswer: it is something else than a model's answer.
    """
    match result:
        case CreateMessageResultWithTools():
            content: Sequence[object] = result.content_as_list
        case CreateMessageResult():
            content = [result.content]
        case _:
            raise _unreadable()
    text = "".join(block.text for block in content if isinstance(block, TextContent))
    wanted = [block for block in content if isinstance(block, ToolUseContent)]
    calls = tuple(ToolCall(block.id, block.name, block.input) for block in wanted)
    back = {block.id: block.meta for block in wanted if block.meta}
    message = Message("assistant", text, tool_calls=calls, opaque={_WIRE: back} if back else {})
    return Completion(message, "tool_calls" if calls else _FINISH.get(result.stop_reason, "stop"))


def too_slow(seconds: float) -> ProviderTimeout:
    """The error of a host that did not answer in time."""
    return ProviderTimeout(
        f"The agent host's model took longer than {seconds:g} s; allow it more time or use another model.",
        provider=PROVIDER,
    )


def _messages(messages: Sequence[Message]) -> Iterator[SamplingMessage]:
    """The conversation without its instructions; what tools answered together is one message, as it must be."""
    results: list[SamplingMessageContentBlock] = []
    for said in messages:
        if said.role == "tool":
            told: list[ContentBlock] = [TextContent(type="text", text=said.text)]
            results.append(ToolResultContent(tool_use_id=said.tool_call_id or "", content=told))
            continue
        if results:
            yield SamplingMessage(role="user", content=results)
            results = []
        if said.role != "system":
            yield from _spoken("assistant" if said.role == "assistant" else "user", said)
    if results:
        yield SamplingMessage(role="user", content=results)


def _spoken(role: Any, said: Message) -> Iterator[SamplingMessage]:
    # Lists of content came with the tools: without tools each message has one block, which every revision knows.
    blocks: list[SamplingMessageContentBlock] = [TextContent(type="text", text=said.text)] if said.text else []
    blocks += [_picture(image) for image in said.images]
    if said.tool_calls:
        back = said.opaque.get(_WIRE, {})
        blocks += [
            ToolUseContent(id=c.id, name=c.name, input=c.arguments, _meta=back.get(c.id)) for c in said.tool_calls
        ]
        yield SamplingMessage(role=role, content=blocks)
    else:
        yield from (SamplingMessage(role=role, content=block) for block in blocks)


def _picture(image: Image) -> ImageContent:
    head, _, data = image.url.removeprefix("data:").partition(",")
    return ImageContent(type="image", data=data, mime_type=head.partition(";")[0] or "image/png")


def _unreadable() -> BadAnswer:
    return BadAnswer("The agent host gave no answer of a model; use another one.", provider=PROVIDER)
