"""Which of the toolkit's tools a host is offered."""

from dataclasses import dataclass

from toolkit.errors import ConfigError
from toolkit.tools.registry import ToolRegistry, no_such
from toolkit.tools.tool import Tool

EVERYTHING = "all"
"""The preset of every tool that there is."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A choice among the tools, made once when the server starts.

    Attributes:
        words: names of presets and of single tools.
        without: names of presets and of single tools that are left out of those.
        read_only: offer only what changes nothing.
    """

    words: frozenset[str] = frozenset({"default"})
    without: frozenset[str] = frozenset()
    read_only: bool = False

    @classmethod
    def of(cls, text: str, *, read_only: bool = False) -> "Offer":
        """The offer that is spelt as `text`: presets' and tools' names, separated by commas; `-` leaves one out.

        `default,-ingest` and `-ingest` are the same.
        """
        named = [word.strip() for word in text.split(",") if word.strip()]
        without = frozenset(word[1:].strip() for word in named if word.startswith("-"))
        words = frozenset(word for word in named if not word.startswith("-"))
        return cls(words or (Offer().words if without else words), without, read_only)

    @property
    def is_usual(self) -> bool:
        """Whether nobody chose anything."""
        return self == Offer()

    def tools(self, registry: ToolRegistry) -> list[Tool]:
        """The tools offered, in the registry's order.

        Raises:
            ConfigError: a word is neither a preset nor a tool, or nothing is left to offer.
        """
        presets = {EVERYTHING} | {preset for tool in registry.list() for preset in tool.presets}
        known = presets | {tool.name for tool in registry.list()}
        for word in sorted((self.words | self.without) - known):
            raise ConfigError(no_such("preset or tool", word, sorted(known)))

        def meant(words: frozenset[str]) -> set[str]:
            return {tool.name for word in words for tool in _meant(registry, word, presets)}

        chosen = meant(self.words) - meant(self.without)
        offered = [tool for tool in registry.list(read_only=self.read_only) if tool.name in chosen]
        if not offered:
            spelt = ", ".join([*sorted(self.words), *(f"-{word}" for word in sorted(self.without))])
            reason = f"every tool of {spelt} changes something" if chosen else "none was named"
            raise ConfigError(f"No tool is left to offer: {reason}; name others.")
        return offered


def _meant(registry: ToolRegistry, word: str, presets: set[str]) -> list[Tool]:
    if word == EVERYTHING:
        return registry.list()
    return registry.list(preset=word) if word in presets else registry.list([word])
