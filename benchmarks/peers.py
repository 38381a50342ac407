"""The peers of the benchmarks: each in an environment of its own, because what they need does not fit together.

    python -m benchmarks.peers [NAME…]

makes the environments under `.bench/`; those that are there are left as they are.
"""

import argparse
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".bench"


@dataclass(frozen=True, slots=True)
class Peer:
    """Something that is compared.

    Attributes:
        name: how the tables call it.
        module: of `benchmarks.contestants`; empty where it is none of them.
        environment: the folder under `.bench/` with its packages; None where our own environment has them.
        packages: what is installed there.
    """

    name: str
    module: str
    environment: str | None = None
    packages: tuple[str, ...] = ()

    @property
    def python(self) -> Path:
        """Its interpreter, which may not be there."""
        return FOLDER / self.environment / "bin" / "python" if self.environment else Path(sys.executable)

    @property
    def missing(self) -> str | None:
        """How to install it; None if it is installed."""
        return None if self.python.exists() else f"python -m benchmarks.peers {self.environment}"


OURS = Peer("toolkit", "ours")
OURS_LIMITED = Peer("limits, cache", "ours_limited")
BARE = Peer("bare SDK", "bare")
LITELLM = Peer("LiteLLM Router", "litellm_router", "litellm", ("litellm==1.106.2",))
PYDANTIC_AI = Peer(
    "pydantic-ai Fallback",
    "pydantic_fallback",
    "pydantic-ai",
    ("pydantic-ai-slim[anthropic,openai]==2.62.0", "openai==3.52.0", "anthropic==2.11.0"),
)
PEERS = (OURS, BARE, LITELLM, PYDANTIC_AI)
FASTMCP = Peer("fastmcp", "", "fastmcp", ("fastmcp==4.1.2", "mcp==2.3.0"))
"""Of `benchmarks.mcp`, which starts servers of its own."""
LITELLM_PROXY = Peer("LiteLLM proxy", "", "litellm-proxy", ("litellm[proxy]==1.106.2",))
"""Of `benchmarks.gateway`, likewise."""


def make(peer: Peer) -> None:
    """Install a peer's packages, unless that was done."""
    if peer.missing is None or peer.environment is None:
        return
    folder = FOLDER / peer.environment
    print(f"Installing {', '.join(peer.packages)} …", flush=True)
    venv.create(folder, with_pip=True)
    install = [str(peer.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages]
    try:
        subprocess.run(install, check=True)
    except subprocess.CalledProcessError:
        peer.python.unlink()  # so that it counts as missing
        raise


def main() -> None:
    """Make the environments."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=(__doc__ or "").split("\n\n")[0])
    there = {peer.environment: peer for peer in (*PEERS, FASTMCP, LITELLM_PROXY) if peer.environment}
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(there)}")
    names = parser.parse_args().names or list(there)
    for name in names:
        if name not in there:
            parser.error(f"There is no {name!r}; choose from {', '.join(there)}.")
        make(there[name])


if __name__ == "__main__":
    main()
