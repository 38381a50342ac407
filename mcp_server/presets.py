"""Which of the toolkit's tools a host is offered."""

from dataclasses import dataclass

from toolkit.errors import ConfigError
from toolkit.tools.registry import ToolRegistry, no_such
from toolkit.tools.tool import Tool


@dataclass(frozen=True, slots=True)
class Offer:
    """A choice among the tools, made once when the server starts.

    Attributes:
        words: names of presets and of single tools.
        read_only: offer only what changes nothing.
    """

    words: frozenset[str] = frozenset({"default"})
    read_only: bool = False

    @classmethod
    def of(cls, text: str, *, read_only: bool = False) -> "Offer":
        """The offer that the command line spells as `text`: a preset or tools' names, separated by commas."""
        return cls(frozenset(word.strip() for word in text.split(",") if word.strip()), read_only)

    @property
    def is_usual(self) -> bool:
        """Whether nobody chose anything."""
        return self == Offer()

    def tools(self, registry: ToolRegistry) -> list[Tool]:
        """The tools offered, in the registry's order.

        Raises:
            ConfigError: a word is neither a preset nor a tool, or nothing is left to offer.
        """
        presets = {preset for tool in registry.list() for preset in tool.presets}
        known = presets | {tool.name for tool in registry.list()}
        for word in sorted(self.words - known):
            raise ConfigError(no_such("preset or tool", word, sorted(known)))
        chosen = {
            tool.name
            for word in self.words
            for tool in (registry.list(preset=word) if word in presets else registry.list([word]))
        }
        offered = [tool for tool in registry.list(read_only=self.read_only) if tool.name in chosen]
        if not offered:
            reason = f"every tool of {', '.join(sorted(self.words))} changes something" if chosen else "none was named"
            raise ConfigError(f"No tool is left to offer: {reason}; name others.")
        return offered
