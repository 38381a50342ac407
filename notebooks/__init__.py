"""The toolkit in a notebook: a connection that lasts as long as the kernel, and panels to talk and to search.

    import notebooks as nb

    tk = await nb.connect()
    nb.ChatPanel(tk)

The panels need ipywidgets, the rest does not.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from toolkit.errors import ConfigError

if TYPE_CHECKING:
    from notebooks.chat.panel import ChatPanel
    from notebooks.connection import connect, connect_sync, replay
    from notebooks.search.panel import SearchPanel

_HOME = {
    "ChatPanel": "chat.panel",
    "ModelsPanel": "models.panel",
    "SearchPanel": "search.panel",
    "SessionsPanel": "sessions.panel",
    "ToolForm": "tools.form",
    "UsagePanel": "usage.panel",
    "connect": "connection",
    "connect_sync": "connection",
    "replay": "connection",
}
_PANELS = {"ChatPanel", "ModelsPanel", "SearchPanel", "SessionsPanel", "ToolForm", "UsagePanel"}

__all__ = [
    "ChatPanel",
    "ModelsPanel",
    "SearchPanel",
    "SessionsPanel",
    "ToolForm",
    "UsagePanel",
    "connect",
    "connect_sync",
    "replay",
]


def __getattr__(name: str) -> Any:
    # Loaded when first named: a notebook without panels needs no ipywidgets, and waits for none.
    if name not in _HOME:
        raise AttributeError(f"module 'notebooks' has no attribute {name!r}")
    if name in _PANELS and find_spec("ipywidgets") is None:
        raise ConfigError(f"{name} needs ipywidgets; install it with `pip install 'toolkit-mcp[notebook]'`.")
    value = getattr(import_module(f"notebooks.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def load_ipython_extension(shell: Any) -> None:
    """Add the magics: `%load_ext notebooks`."""
    import_module("notebooks.magics").load_ipython_extension(shell)
