"""The bundle for hosts: built, opened, and its server started from what is in it alone."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from jsonschema import Draft202012Validator

import toolkit
from mcp_server.instructions import USUAL
from tests.mcp_server.serving import HELLO, Pipe

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "packaging" / "mcpb.py"

TEXT = {"type": "string", "minLength": 1}
# The rules of version 0.4 of the manifest for what is used here; what it does not know it refuses.
MANIFEST = {
    "type": "object",
    "additionalProperties": False,
    "required": ["manifest_version", "name", "version", "description", "author", "server"],
    "properties": {
        "manifest_version": {"const": "0.4"},
        **dict.fromkeys(("name", "display_name", "description", "long_description", "license"), TEXT),
        "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
        "author": {"type": "object", "required": ["name"], "properties": {"name": TEXT}},
        "keywords": {"type": "array", "items": TEXT},
        "server": {
            "type": "object",
            "additionalProperties": False,
            "required": ["type", "entry_point", "mcp_config"],
            "properties": {
                "type": {"enum": ["python", "node", "binary", "uv"]},
                "entry_point": TEXT,
                "mcp_config": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["command"],
                    "properties": {
                        "command": TEXT,
                        "args": {"type": "array", "items": {"type": "string"}},
                        "env": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                },
            },
        },
        "tools": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {"name": TEXT, "description": TEXT},
            },
        },
        "tools_generated": {"type": "boolean"},
        "prompts_generated": {"type": "boolean"},
        "compatibility": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "platforms": {"type": "array", "items": {"enum": ["darwin", "win32", "linux"]}},
                # A range of semver has blanks between its parts, not commas.
                "runtimes": {"type": "object", "additionalProperties": {"type": "string", "pattern": "^[^,]+$"}},
            },
        },
        "user_config": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["type", "title", "description"],
                "properties": {
                    "type": {"enum": ["string", "number", "boolean", "directory", "file"]},
                    "title": TEXT,
                    "description": TEXT,
                    "required": {"type": "boolean"},
                    "default": {"type": ["string", "number", "boolean", "array"]},
                    "sensitive": {"type": "boolean"},
                },
            },
        },
    },
}


def build(folder: Path) -> Path:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--out", str(folder)], check=True, capture_output=True, text=True
    )
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def manifest(bundle: Path) -> dict[str, Any]:
    with ZipFile(bundle) as files:
        read: dict[str, Any] = json.loads(files.read("manifest.json"))
    return read


def test_the_manifest_follows_the_rules(manifest: dict[str, Any]) -> None:
    assert [error.message for error in Draft202012Validator(MANIFEST).iter_errors(manifest)] == []


def test_it_has_the_name_and_the_version_of_the_package(bundle: Path, manifest: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert (manifest["name"], manifest["version"]) == (project["name"], toolkit.__version__)
    assert bundle.name == f"{project['name']}-{toolkit.__version__}.mcpb"


def test_it_names_the_tools_that_are_offered_at_first(manifest: dict[str, Any]) -> None:
    assert {tool["name"] for tool in manifest["tools"]} == set(USUAL)


def test_whatever_may_be_a_secret_is_treated_as_one(manifest: dict[str, Any]) -> None:
    for name, asked in manifest["user_config"].items():
        assert asked.get("sensitive", False) == name.endswith(("_key", "_url"))


def test_each_setting_reaches_the_server(manifest: dict[str, Any]) -> None:
    given = set(manifest["server"]["mcp_config"]["env"].values())

    assert given == {f"${{user_config.{name}}}" for name in manifest["user_config"]}


def test_uv_is_told_what_to_install_in_the_versions_that_were_tested(bundle: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    with ZipFile(bundle) as files:
        bundled = tomllib.loads(files.read("pyproject.toml").decode())

    assert set(project["dependencies"]) < set(bundled["project"]["dependencies"])
    assert any(pin.startswith("mcp==") for pin in bundled["tool"]["uv"]["constraint-dependencies"])
    assert bundled["tool"]["uv"]["package"] is False


def test_the_same_sources_make_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == bundle.read_bytes()


@pytest.fixture(scope="module")
def installed(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, as a host unpacks it."""
    folder = tmp_path_factory.mktemp("installed")
    with ZipFile(bundle) as files:
        files.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def server(installed: Path, manifest: dict[str, Any]) -> Iterator[Pipe]:
    """Started by the manifest's command; in place of uv stands this environment, which has the dependencies."""
    config = manifest["server"]["mcp_config"]
    assert (config["command"], config["args"][:3]) == ("uv", ["run", "--directory", "${__dirname}"])
    settings = {f"${{user_config.{name}}}": asked for name, asked in manifest["user_config"].items()}
    env = {name: _given(settings[value], value) for name, value in config["env"].items()}
    assert env["TOOLKIT_BUNDLE_READ_ONLY"] == "true"
    site = next(path for path in sys.path if path.endswith("site-packages"))
    with subprocess.Popen(
        # `-S` leaves the editable install out: the toolkit can come from the bundle only.
        [sys.executable, "-S", *config["args"][3:]],
        cwd=installed,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**env, "PYTHONPATH": site, "HOME": str(installed)},
    ) as process:
        try:
            yield Pipe(process)
        finally:
            process.kill()


def _given(asked: dict[str, Any], reference: str) -> str:
    """What a host puts in place of a reference: some leave the reference itself where the user gave nothing."""
    return reference if asked.get("sensitive") else "true" if asked["type"] == "boolean" else str(asked["default"])


def test_the_server_of_the_bundle_starts_and_answers_with_its_settings(server: Pipe, installed: Path) -> None:
    about = server.ask(1, "initialize", **HELLO)["result"]["serverInfo"]
    server.send(method="notifications/initialized")
    listed = {tool["name"] for tool in server.ask(2, "tools/list")["result"]["tools"]}
    called = server.ask(3, "tools/call", name="list_collections", arguments={})["result"]

    assert about["version"] == toolkit.__version__
    assert "semantic_search" in listed
    assert "ingest" not in listed  # it is read-only
    assert not called.get("isError"), called
    assert list(installed.rglob("*.db"))  # in its user's folder: migrations were there to make it
