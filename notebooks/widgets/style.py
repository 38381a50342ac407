"""How panels look: the sheets of `toolkit.display`, and one for each kind of panel in `notebooks/look`."""

from importlib.resources import files

from toolkit.display.sheet import sheet

_LOOKS = ("base", "chat", "search", "form", "models", "sessions", "usage")


def _own() -> str:
    folder = files("notebooks") / "look"
    return "\n".join((folder / f"{name}.css").read_text(encoding="utf-8") for name in _LOOKS)


SHEET = f"<style>{sheet('page', 'answer')}\n{_own()}</style>"
"""The sheets as HTML; a page may hold them several times."""
