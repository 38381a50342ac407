"""The bundle that hosts such as Claude Desktop install from a file: the server, and a form for its settings.

    python packaging/mcpb.py [--out FOLDER]

The host's own uv installs the dependencies, because compiled ones cannot be bundled for every system. The same sources
make the same bytes.
"""

import argparse
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

ROOT = Path(__file__).parent.parent
PYTHON = "3.11"  # what the tests run on, and what every dependency has wheels for
SOURCES = ("toolkit", "mcp_server", "migrations")
KEYS = {
    "OPENAI_API_KEY": "OpenAI",
    "ANTHROPIC_API_KEY": "Anthropic",
    "GOOGLE_API_KEY": "Google",
    "GROQ_API_KEY": "Groq",
    "FIREWORKS_API_KEY": "Fireworks",
}
_BEGINNING = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can say


def manifest(project: dict[str, Any], version: str, tools: list[dict[str, str]]) -> dict[str, Any]:
    """What a host reads before it installs the bundle; version 0.4 of the form."""
    settings = user_settings()
    return {
        "manifest_version": "0.4",
        "name": project["name"],
        "display_name": "Toolkit",
        "version": version,
        "description": "Search your own documents and ask other language models, which fall back to one another.",
        "long_description": project["description"],
        "author": {"name": "The authors of toolkit-mcp"},
        "license": project["license"],
        "keywords": project["keywords"],
        "server": {
            "type": "uv",
            "entry_point": "src/server.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", "src/server.py"],
                "env": {variable: f"${{user_config.{setting}}}" for setting, (variable, _) in settings.items()},
            },
        },
        "tools": tools,
        "tools_generated": True,
        "prompts_generated": True,
        "compatibility": {"platforms": ["darwin", "linux", "win32"], "runtimes": {"python": f">={PYTHON}"}},
        "user_config": {setting: asked for setting, (_, asked) in settings.items()},
    }


def user_settings() -> dict[str, tuple[str, dict[str, Any]]]:
    """The settings that the host asks its user for: the variable of each, and the question."""
    keys = {
        variable.lower(): (
            variable,
            _question("string", f"{vendor}: API key", f"Needed for models of {vendor}.", default="", sensitive=True),
        )
        for variable, vendor in KEYS.items()
    }
    database = "sqlite:///FILE or postgresql://…; left empty, a file in your data folder."
    return {
        "database_url": (
            "TOOLKIT_DATABASE_URL",
            _question("string", "Database", database, default="", sensitive=True),
        ),
        "tools": (
            "TOOLKIT_BUNDLE_TOOLS",
            _question("string", "Tools", "Presets or names, separated by commas.", default="default"),
        ),
        "read_only": (
            "TOOLKIT_BUNDLE_READ_ONLY",
            _question("boolean", "Read only", "Offer only tools that change nothing.", default=False),
        ),
        **keys,
    }


def _question(kind: str, title: str, description: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "title": title, "description": description, "required": False, **more}


def bundled_project(project: dict[str, Any], version: str, pins: list[str]) -> str:
    """The `pyproject.toml` of the bundle: nothing to build, only what to install, in the versions that were tested."""
    wanted = [*project["dependencies"], *project["optional-dependencies"]["postgres"]]
    return "\n".join(
        [
            "[project]",
            f'name = "{project["name"]}-bundle"',
            f'version = "{version}"',
            f'requires-python = ">={PYTHON}"',
            f"dependencies = {json.dumps(wanted, indent=4)}",
            "",
            "[tool.uv]",
            "package = false",
            f"constraint-dependencies = {json.dumps(pins, indent=4)}",
            "",
        ]
    )


def contents() -> dict[str, bytes]:
    """The files of the bundle, by their paths in it."""
    sys.path.insert(0, str(ROOT))
    from toolkit import Toolkit, __version__  # noqa: PLC0415 - this checkout's, wherever the script is started

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = re.findall(r"^[A-Za-z0-9._-]+==\S+", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    offered = Toolkit.open("sqlite://").tools.list(preset="default")
    tools = [{"name": tool.name, "description": tool.description} for tool in offered]
    files = {
        "manifest.json": json.dumps(manifest(project, __version__, tools), indent=2, ensure_ascii=False).encode(),
        "pyproject.toml": bundled_project(project, __version__, pins).encode(),
        ".python-version": f"{PYTHON}\n".encode(),
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
        "src/server.py": Path(__file__).with_name("server.py").read_bytes(),
    }
    for source in SOURCES:
        for path in (ROOT / source).rglob("*"):
            inside = path.relative_to(ROOT)
            if path.is_file() and path.suffix != ".pyc" and not any(part.startswith(".") for part in inside.parts):
                files[f"src/{inside.as_posix()}"] = path.read_bytes()
    return files


def build(folder: Path) -> Path:
    """Write the bundle into `folder`, and give its path."""
    files = contents()
    version = json.loads(files["manifest.json"])["version"]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"toolkit-mcp-{version}.mcpb"
    with ZipFile(path, "w") as bundle:
        for name in sorted(files):
            entry = ZipInfo(name, _BEGINNING)
            entry.compress_type = ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is built
            entry.external_attr = 0o100644 << 16
            bundle.writestr(entry, files[name])
    return path


def main() -> None:
    """Build the bundle."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", metavar="FOLDER")
    sys.stdout.write(f"{build(parser.parse_args().out)}\n")


if __name__ == "__main__":
    main()
