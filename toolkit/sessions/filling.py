"""How much of a model's window a conversation takes."""

from dataclasses import dataclass

from toolkit.display.shown import Shown


@dataclass(frozen=True, slots=True, repr=False)
class Filling(Shown):
    """How much of a model's window a conversation takes before the next question.

    Attributes:
        model: the name of the model that would be asked first.
        tokens: about how many the conversation has.
        window: how many the model can read at once; None where that is unknown.
    """

    model: str
    tokens: int
    window: int | None

    @property
    def share(self) -> float | None:
        """The part of the window that is taken, 0 to 1; None where the window is unknown."""
        return min(self.tokens / self.window, 1.0) if self.window else None
