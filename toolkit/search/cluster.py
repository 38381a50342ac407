"""A Dask cluster that reads documents: what processes of this machine do with `--workers`, other machines do with it.

The cluster opens, parses and cuts; this process writes. So the workers need the files and this package, and neither the
database nor its password.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Self, TypeVar

from toolkit import __version__
from toolkit.errors import ConfigError, IngestError
from toolkit.search.reading.readers import Broken, Readers

distributed: Any  # it has no types
try:
    distributed = import_module("distributed")
except ModuleNotFoundError:  # it comes with the extra `dask`
    distributed = None

T = TypeVar("T")

_PATIENCE = 15.0  # seconds for the scheduler to answer
_PER_THREAD = 8  # calls under way for each thread of the cluster: some are on their way, some wait their turn
_FEWEST, _MOST = 32, 1_024


class Cluster:
    """Runs functions on a Dask cluster; made by `connect`.

    Attributes:
        at_once: calls that should be under way for nobody to wait.
    """

    def __init__(self, client: Any, threads: int) -> None:
        self._client = client
        self.at_once = max(_FEWEST, min(_MOST, threads * _PER_THREAD))

    @classmethod
    async def connect(cls, address: str) -> Self:
        """The cluster whose scheduler is at `address`, e.g. `tcp://10.0.0.5:8786`.

        Raises:
            ConfigError: the package dask is missing, nobody answers, there is no worker, or a worker has another
                version of this package.
        """
        if distributed is None:
            raise ConfigError(
                'A Dask cluster needs the package dask here, too; install it with pip install "toolkit-mcp[dask]".'
            )
        client = distributed.Client(address, asynchronous=True, timeout=_PATIENCE, set_as_default=False)
        try:
            await client
            return cls(client, await _threads(client, address))
        except (OSError, ValueError, TimeoutError) as error:
            await client.close()
            reason = str(error) or f"nobody answered within {_PATIENCE:.0f} seconds"
            raise ConfigError(f"There is no Dask scheduler at {address} ({reason}); give its address.") from error
        except BaseException:
            await client.close()
            raise

    async def check(self, path: Path) -> None:
        """Ask every worker whether it sees `path`.

        Raises:
            IngestError: one does not.
        """
        seen: dict[str, bool] = await self._client.run(_sees, str(path))
        blind = [worker for worker, sees in seen.items() if not sees]
        if blind:
            raise IngestError(
                f"{path} cannot be read by {len(blind)} of {len(seen)} Dask workers, e.g. {blind[0]}; "
                "it must lie where all of them see it under the same path."
            )

    async def run(self, function: Callable[..., T], *args: Any, isolated: bool = False) -> T:
        """What `function` gives or raises, on one of the workers.

        Args:
            function: of a module that the workers have.
            args: data that can be pickled.
            isolated: run it in a child of the worker, with bounds on its time and memory.

        Raises:
            Broken: the child took too long, too much memory, or broke down; or the workers did.
            Exception: whatever the function raises.
        """
        call = (_in_child, function, args) if isolated else (function, *args)
        future = self._client.submit(*call, pure=False)
        try:
            found: T = await future
        except distributed.KilledWorker as error:
            raise Broken("broke the workers that tried to read it") from error
        except asyncio.CancelledError:
            await future.cancel()
            raise
        finally:
            future.release()
        return found

    async def aclose(self) -> None:
        """Let go of the cluster, which goes on without us."""
        await self._client.close()


async def _threads(client: Any, address: str) -> int:
    versions: dict[str, str] = await client.run(_version)
    if not versions:
        raise ConfigError(f"The Dask cluster at {address} has no worker; start one with `dask worker {address}`.")
    strangers = sorted({version for version in versions.values() if version != __version__})
    if strangers:
        raise ConfigError(
            f"Workers of the Dask cluster at {address} have version {', '.join(strangers)} of toolkit-mcp, and here it "
            f"is {__version__}; install the same everywhere."
        )
    threads: dict[str, int] = await client.nthreads()
    return sum(threads.values())


def _version() -> str:
    """Of this package where it is called."""
    try:
        return str(import_module("toolkit").__version__)
    except ModuleNotFoundError:  # a worker may not have it, and shall say so
        return "none"


def _in_child(function: Callable[..., T], args: Sequence[Any]) -> T:
    """What `function(*args)` gives, in a child of the worker on which this is called."""
    return asyncio.run(_readers().run(function, *args, isolated=True))


@cache
def _readers() -> Readers:
    return Readers(1)


def _sees(path: str) -> bool:
    return Path(path).exists()
