"""A conversation as it stays in a saved notebook."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Self

from notebooks.chat.turn import Turn
from toolkit.display.sheet import sheet


class Transcript(str):
    """A conversation as Markdown text, which a notebook shows as a page.

    The page is made like the panel's, not by the notebook's own Markdown, which runs what a model may have written. It
    brings its sheet, so that a saved notebook looks the same where no kernel runs.
    """

    __slots__ = ("_page",)
    _page: str

    def __new__(cls, turns: Sequence[Turn]) -> Self:
        """The transcript of `turns`, oldest first."""
        self = super().__new__(cls, "\n\n".join(turn.markdown() for turn in turns))
        self._page = "".join(f'<div class="toolkit-turn">{turn.html(timed=False)}</div>' for turn in turns)
        return self

    def _repr_html_(self) -> str:
        # JupyterLab would typeset what stands between dollars, and MathJax knows links that run.
        return f'{_sheet()}<div class="toolkit-page tex2jax_ignore mathjax_ignore">{self._page}</div>'


@cache
def _sheet() -> str:
    look = files("notebooks") / "look"
    own = "\n".join((look / f"{name}.css").read_text(encoding="utf-8") for name in ("base", "chat"))
    return f"<style>{sheet('page', 'answer')}\n{own}</style>"
