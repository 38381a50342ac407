"""What the vendors say of their families of models: whether they see, whether they call tools, how much they write.

Source: the vendors' own documentation of each model, as of November 2026. A family that is not here, or of which the
documentation says nothing, is unknown, and nothing is kept from it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Family:
    """What holds for every model of a family; None where it is unknown, or differs from one to the next.

    Attributes:
        vision: it takes pictures.
        tools: it may ask to have tools called.
        max_output: the most tokens of one answer.
    """

    vision: bool | None = None
    tools: bool | None = None
    max_output: int | None = None


UNKNOWN: Final = Family()

# The first pattern that is found at the beginning of a name, or of its last part, is the family of the model.
_DATE = r"(?:-\d{4}|-20\d\d-\d\d-\d\d)?$"
_CLAUDE_END = r"(?:[-@]20\d{6}|-v\d|@|$)"
_FAMILIES: tuple[tuple[str, Family], ...] = (
    # What speaks, draws, listens, guards or makes vectors has its name from its elders, and not their abilities.
    (r"\S*(?:embed|guard|tts|transcribe|whisper|realtime|moderation|-image|-live|banana|robotics|omni)", UNKNOWN),
    # OpenAI
    (r"(?:text-)?(?:davinci|babbage)|gpt-3\.?5-turbo-instruct", Family(vision=False, tools=False)),
    (r"gpt-3\.?5", Family(vision=False, tools=True, max_output=4_096)),
    (r"gpt-4-(?:0125|1106|turbo)-preview", Family(vision=False, tools=True, max_output=4_096)),
    (rf"gpt-4(?:-32k)?{_DATE}", Family(vision=False, tools=True)),
    (r"gpt-4-turbo", Family(vision=True, tools=True, max_output=4_096)),
    (r"chatgpt-4o", Family(vision=True, tools=False, max_output=16_384)),
    (r"gpt-4o(?:-mini)?-audio|gpt-audio", Family(vision=False, tools=True, max_output=16_384)),
    (r"gpt-4o(?:-mini)?-search", Family(tools=False, max_output=16_384)),
    (r"gpt-4o-2024-05-13", Family(vision=True, tools=True, max_output=4_096)),
    (rf"gpt-4o(?:-mini)?{_DATE}", Family(vision=True, tools=True, max_output=16_384)),
    (rf"gpt-4\.1(?:-mini|-nano)?{_DATE}", Family(vision=True, tools=True, max_output=32_768)),
    (r"o1-mini", Family(vision=False, tools=False, max_output=65_536)),
    (r"o1-preview", Family(vision=False, tools=False, max_output=32_768)),
    (r"o3-mini", Family(vision=False, tools=True, max_output=100_000)),
    (rf"(?:o1|o3|o4-mini)(?:-pro)?{_DATE}", Family(vision=True, tools=True, max_output=100_000)),
    (rf"gpt-5-pro{_DATE}", Family(vision=True, tools=True, max_output=272_000)),
    (
        rf"gpt-5(?:\.[1-5])?(?:-mini|-nano|-pro|-codex|-codex-max|-codex-mini)?{_DATE}|gpt-(?:5\.6|6(?:\.\d)?)-(?:astra|sol|terra|luna)",
        Family(vision=True, tools=True, max_output=128_000),
    ),
    (r"gpt-oss", Family(vision=False, tools=True)),
    # Anthropic
    (r"claude-(?:2|instant|v[12])", Family(vision=False, tools=False, max_output=4_096)),
    (r"claude-3-(?:opus|sonnet|haiku)", Family(vision=True, tools=True, max_output=4_096)),
    (r"claude-3-5", Family(vision=True, tools=True, max_output=8_192)),
    (r"claude-3-7", Family(vision=True, tools=True, max_output=64_000)),
    (rf"claude-(?:4-opus|opus-4(?:-[01])?{_CLAUDE_END})", Family(vision=True, tools=True, max_output=32_000)),
    (
        rf"claude-(?:4-sonnet|(?:opus|sonnet|haiku)-4(?:-[05])?{_CLAUDE_END})",
        Family(vision=True, tools=True, max_output=64_000),
    ),
    (
        r"claude-(?:opus-4-[678]|(?:opus|sonnet|haiku|fable|mythos)-5)",
        Family(vision=True, tools=True, max_output=128_000),
    ),
    (r"claude-", Family(vision=True, tools=True)),
    # Google
    (r"gemini-(?:1\.5|2\.0)-(?:flash|pro)", Family(vision=True, tools=True, max_output=8_192)),
    (r"gemini-(?:2\.5|3(?:\.\d)?)-(?:flash|pro)", Family(vision=True, tools=True, max_output=65_536)),
    (r"gemini-4", Family(vision=True, tools=True)),
    (r"gemma-?3n|gemma-?3[-:](?:1b|270m)", UNKNOWN),
    (r"gemma-?3", Family(vision=True)),
    # Meta
    (r"llama-?4", Family(vision=True, tools=True)),
    (r"llama\S*vision|llama3-2-(?:11|90)b", Family(vision=True)),
    (r"llama-?v?3[.p-][13]", Family(vision=False, tools=True)),
    (r"llama-?v?[23]", Family(vision=False)),
    # Others whose weights are open, under the names that they have with several vendors
    (
        r"qwen[\w.]*-?vl|llava|bakllava|moondream|minicpm-v|pixtral|phi-[34]\S*(?:vision|multimodal)",
        Family(vision=True),
    ),
    (r"kimi-k2(?:p|\.)5", Family(vision=True, tools=True)),
    (r"qwen3(?:-coder|[-:]\d+b)|deepseek-v3|kimi-k2(?:-|$)", Family(vision=False, tools=True)),
    (r"deepseek[-.](?:r1|coder)|mixtral|mistral-7b|phi-?[34]", Family(vision=False)),
    # Amazon
    (r"nova-micro", Family(vision=False, tools=True)),
    (r"nova-(?:2-)?(?:lite|pro|premier)", Family(vision=True, tools=True)),
)
_PATTERNS = tuple((re.compile(rf"(?:^|[/.])(?:{pattern})"), family) for pattern, family in _FAMILIES)


@lru_cache(maxsize=4096)
def family_of(model: str) -> Family:
    """The family of the vendor's model of that name, e.g. `gpt-4o-mini` or `us.anthropic.claude-sonnet-5-5`."""
    name = model.lower()
    return next((family for pattern, family in _PATTERNS if pattern.search(name)), UNKNOWN)
