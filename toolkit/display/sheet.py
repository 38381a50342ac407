"""The sheets of this room.

Every colour is mixed from three of the host's: its page, its text and its brand. So whatever is shown follows the
themes of JupyterLab and VS Code, light, dark or the reader's own. No status is told by colour alone.
"""

from functools import cache
from importlib.resources import files


@cache
def sheet(*names: str) -> str:
    """The rules of some sheets of `look/`, in their order."""
    folder = files("toolkit.display") / "look"
    return "\n".join((folder / f"{name}.css").read_text(encoding="utf-8") for name in names)
