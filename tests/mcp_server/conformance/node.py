"""The official programs that this server is tested with: written in TypeScript, run by a Node of their own.

`python -m tests.mcp_server.conformance.node` installs what `package-lock.json` names beside this virtual environment,
which takes npm and its registry. Where these are missing there are no programs, and their tests are skipped.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDER = Path(sys.prefix) / "node"
WANTED = ("package.json", "package-lock.json")
LEAST = (22, 19)
PATIENCE = 600  # seconds for the package manager

SUITE = "conformance/dist/index.js"
INSPECTOR = "inspector/clients/launcher/build/index.js"


class NoNode(Exception):
    """There is no Node that can run these programs; says why."""


def install() -> None:
    """Install what is wanted, exactly as it was locked; scripts of packages are not run.

    Raises:
        NoNode: there is no npm, or it could not.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise NoNode("There is no npm here.")
    if all(_same(name) for name in WANTED):
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for name in WANTED:
        shutil.copy(HERE / name, FOLDER)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        shutil.rmtree(FOLDER)
        raise NoNode(f"npm took longer than {PATIENCE} s.") from None
    if done.returncode:
        shutil.rmtree(FOLDER)
        raise NoNode(f"npm could not install them: {(done.stderr or done.stdout)[-500:]}")


def command(program: str) -> list[str]:
    """How to run a program of the packages; the test is skipped where nobody can."""
    path = FOLDER / "node_modules" / "@modelcontextprotocol" / program
    try:
        node = _node()
    except NoNode as error:
        pytest.skip(str(error))
    if not path.exists():
        pytest.skip("The official programs are not installed: python -m tests.mcp_server.conformance.node")
    return [node, str(path)]


def script(path: Path) -> list[str]:
    """How to run a script of ours, which may import the packages."""
    [node, _] = command(SUITE)
    return [node, str(path)]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """For these programs: where they look for packages, and a home without settings."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(FOLDER),
        "NODE_PATH": str(FOLDER / "node_modules"),
        **(more or {}),
    }


@functools.cache
def _node() -> str:
    own = FOLDER / "node_modules" / ".bin" / "node"
    for found in (str(own), shutil.which("node")):
        if found and Path(found).exists():
            done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
            numbers = re.findall(r"\d+", done.stdout)
            if tuple(int(n) for n in numbers[:2]) >= LEAST:
                return found
    raise NoNode(f"There is no Node {LEAST[0]}.{LEAST[1]} or newer here.")


def _same(name: str) -> bool:
    have = FOLDER / name
    return have.exists() and have.read_bytes() == (HERE / name).read_bytes()


if __name__ == "__main__":
    try:
        install()
    except NoNode as error:
        sys.stderr.write(f"The tests with the official programs will be skipped. {error}\n")
