"""What the registry of MCP servers is told: by its rules, and in step with the package."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import toolkit
from mcp_server.__main__ import main
from toolkit.cli.variables import SETTINGS, vendors_variables

ROOT = Path(__file__).parent.parent.parent
TEXT = {"type": "string", "minLength": 1}
INPUT = {
    "description": TEXT,
    "isRequired": {"type": "boolean"},
    "format": {"enum": ["string", "number", "boolean", "filepath"]},
    "isSecret": {"type": "boolean"},
    "default": TEXT,
    "placeholder": TEXT,
}
# The registry's rules of 2025-12-11 for what is used here; what is not named here is not used.
RULES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["$schema", "name", "description", "version", "packages"],
    "properties": {
        "$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"},
        "name": {"type": "string", "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$", "minLength": 3, "maxLength": 200},
        "title": {"type": "string", "minLength": 1, "maxLength": 100},
        "description": {"type": "string", "minLength": 1, "maxLength": 100},
        "version": {"type": "string", "maxLength": 255, "pattern": r"^\d+\.\d+\.\d+"},
        "packages": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["registryType", "identifier", "version", "transport"],
                "properties": {
                    "registryType": {"const": "pypi"},
                    "identifier": TEXT,
                    "version": TEXT,
                    "runtimeHint": {"const": "uvx"},
                    "transport": {"const": {"type": "stdio"}},
                    "packageArguments": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["type", "name"],
                            "properties": {"type": {"const": "named"}, "name": TEXT, **INPUT},
                        },
                    },
                    "environmentVariables": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["name"],
                            "properties": {"name": {"type": "string", "pattern": "^[A-Z_]+$"}, **INPUT},
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def server() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    return read


def test_it_follows_the_rules(server: dict[str, Any]) -> None:
    assert [error.message for error in Draft202012Validator(RULES).iter_errors(server)] == []


def test_names_and_versions_are_those_of_the_package(server: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (package,) = server["packages"]

    assert server["name"].endswith(f"/{project['name']}")
    assert package["identifier"] == project["name"]
    assert project["name"] in project["scripts"]  # `uvx NAME` starts the command of that name
    assert {server["version"], package["version"]} == {toolkit.__version__}


def test_the_page_of_the_package_names_the_server_as_the_registry_wants_it(server: dict[str, Any]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert re.findall(r"mcp-name: (\S+)", readme) == [server["name"]]


def test_every_variable_and_option_is_one_that_is_read(server: dict[str, Any]) -> None:
    (package,) = server["packages"]

    assert {each["name"] for each in package["environmentVariables"]} <= {*SETTINGS, *vendors_variables()}
    assert {each["name"] for each in package["packageArguments"]} <= {
        name for each in main.params for name in each.opts
    }


def test_keys_are_secrets(server: dict[str, Any]) -> None:
    for each in server["packages"][0]["environmentVariables"]:
        assert each.get("isSecret", False) == each["name"].endswith(("_API_KEY", "_DATABASE_URL"))
