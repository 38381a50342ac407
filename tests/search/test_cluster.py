"""A real Dask cluster on this machine: calls, errors, and what is said where it cannot be used."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toolkit.db import Database
from toolkit.errors import ConfigError, IngestError
from toolkit.search import cluster as module
from toolkit.search.cluster import Cluster
from toolkit.search.ingest import Documents
from toolkit.search.reading.readers import Broken
from toolkit.search.retriever import Retriever

distributed: Any = pytest.importorskip("distributed", reason="the extra `dask` is not installed")


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    """A cluster of one process."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=True, dashboard_address=":0", host="127.0.0.1"
    ) as cluster:
        yield cluster


@pytest.fixture
def scheduler(local: Any) -> str:
    """Where it is asked."""
    address: str = local.scheduler_address
    return address


async def test_a_function_runs_on_a_worker_and_gives_its_value_or_its_error(scheduler: str) -> None:
    cluster = await Cluster.connect(scheduler)
    try:
        assert await cluster.run(os.getpid) != os.getpid()
        with pytest.raises(ValueError, match="invalid literal"):
            await cluster.run(int, "seven")
    finally:
        await cluster.aclose()


async def test_what_may_break_its_reader_runs_in_a_child_of_the_worker(scheduler: str) -> None:
    cluster = await Cluster.connect(scheduler)
    try:
        worker = await cluster.run(os.getpid)
        assert await cluster.run(os.getppid, isolated=True) == worker
        with pytest.raises(Broken):
            await cluster.run(os._exit, 1, isolated=True)
        assert await cluster.run(os.getppid, isolated=True) == worker
    finally:
        await cluster.aclose()


async def test_what_a_cluster_reads_is_found(scheduler: str, db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("otters", "breakers", "sessions"):
        (folder / f"{name}.md").write_text(f"# About {name}\n\nWhat {name} do all day.\n")
    (folder / "logo.bin").write_bytes(b"\x89\0\0")
    documents = Documents(db)
    cluster = await Cluster.connect(scheduler)
    try:
        report = await documents.ingest(folder, collection="c", readers=cluster)
        again = await documents.ingest(folder, collection="c", readers=cluster)
    finally:
        await cluster.aclose()

    assert (report.added, report.chunks, len(report.skipped)) == (3, 3, 1)
    assert (again.added, again.unchanged) == (0, 3)
    (hit,) = await Retriever(db, documents).search("otters", collection="c", mode="lexical")
    assert hit.source.endswith("otters.md")
    await documents.close()


async def test_files_must_be_seen_by_the_workers(scheduler: str, tmp_path: Path) -> None:
    cluster = await Cluster.connect(scheduler)
    try:
        await cluster.check(tmp_path)
        with pytest.raises(IngestError, match="cannot be read by 1 of 1 Dask workers"):
            await cluster.check(tmp_path / "nowhere")
    finally:
        await cluster.aclose()


async def test_workers_with_another_version_are_refused(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "__version__", "99.0")

    with pytest.raises(ConfigError, match=r"and here it is 99\.0; install the same everywhere"):
        await Cluster.connect(scheduler)


async def test_an_address_without_a_cluster_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.3)
    with pytest.raises(ConfigError, match=r"There is no Dask scheduler at tcp://127.0.0.1:9"):
        await Cluster.connect("tcp://127.0.0.1:9")
    with pytest.raises(ConfigError, match="There is no Dask scheduler at nonsense://x"):
        await Cluster.connect("nonsense://x")


async def test_a_cluster_without_workers_is_said(local: Any) -> None:
    def empty() -> None:
        local.scale(0)
        while local.scheduler.workers:
            time.sleep(0.01)

    await asyncio.to_thread(empty)

    with pytest.raises(ConfigError, match="has no worker; start one with `dask worker"):
        await Cluster.connect(local.scheduler_address)


async def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "distributed", None)

    with pytest.raises(ConfigError, match=r"pip install \"toolkit-mcp\[dask\]\""):
        await Cluster.connect("tcp://127.0.0.1:9")
