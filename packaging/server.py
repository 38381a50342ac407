"""Starts the server of a bundle: what a host left empty in the settings counts as not set."""

import json
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path


def arguments(environ: MutableMapping[str, str], names: list[str]) -> list[str]:
    """Take what was left empty out of `environ`; gives the arguments of `toolkit-mcp` that the settings stand for.

    Args:
        environ: the environment, which is changed.
        names: the variables that the bundle's manifest sets.
    """
    for name in names:
        # A host that has no value for a setting leaves its name where the value belongs.
        if not environ.get(name) or environ[name].startswith("${user_config."):
            environ.pop(name, None)
    tools = environ.pop("TOOLKIT_BUNDLE_TOOLS", "default")
    read_only = environ.pop("TOOLKIT_BUNDLE_READ_ONLY", "") == "true"
    return ["--tools", tools, *(["--read-only"] if read_only else [])]


if __name__ == "__main__":
    from mcp_server.__main__ import main

    manifest = json.loads((Path(__file__).parent.parent / "manifest.json").read_text(encoding="utf-8"))
    main([*arguments(os.environ, list(manifest["server"]["mcp_config"]["env"])), *sys.argv[1:]])
