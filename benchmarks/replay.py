"""A notebook that asks models, recorded once against a server on this machine, and replayed again and again.

    python -m benchmarks.replay [--quick | --times N]

Every replay runs in a kernel of its own, without keys and with the server gone. Printed are how long the recording and
the replays took, and whether the outputs of all replays are equal to the last byte.
"""

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from toolkit.providers.cassette.file import read
from toolkit.testing.vendors import Fault, VendorServer

CELLS = (
    """
import asyncio
import notebooks as nb
tk = await nb.connect("sqlite://")
""",
    """
reply = await tk.complete("What is the capital of France?")
print(reply.text)
reply
""",
    """
session = await tk.sessions.create(user="ada")
for question in ("My name is Ada.", "What is my name?"):
    print((await tk.complete(question, session=session.id)).text)
await tk.sessions.get(session.id)
""",
    """
async for delta in tk.stream("Tell me a story of ten words, please."):
    print(repr(delta.text))
delta.reply
""",
    """
replies = await asyncio.gather(*(tk.complete(f"Question {number}") for number in range(5)))
[(reply.text, reply.milliseconds, reply.cost_usd) for reply in replies]
""",
    """
await tk.embed(["one", "two words"], model="openai/embedder")
""",
    """
await tk.usage.stats()
""",
)
_VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")


def run(folder: Path, cassette: Path, mode: str, environ: dict[str, str]) -> tuple[float, bytes]:
    """Seconds from the first cell to the last one, and their outputs."""
    new: Any = nbformat.v4
    notebook = new.new_notebook(cells=[new.new_code_cell(source.strip()) for source in CELLS])
    variables = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
    variables |= {**environ, "TOOLKIT_CASSETTE": str(cassette), "TOOLKIT_RECORD": mode}
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}})

    async def execute() -> float:
        async with client.async_setup_kernel(env=variables):
            begun = time.perf_counter()
            for index, cell in enumerate(notebook.cells):
                await client.async_execute_cell(cell, index)
            return time.perf_counter() - begun

    seconds = asyncio.run(execute())
    outputs: list[Any] = [cell.outputs for cell in notebook.cells]
    return seconds, json.dumps(outputs, sort_keys=True).encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="3 replays instead of 100")
    parser.add_argument("--times", type=int, default=100, metavar="N", help="so many replays")
    options = parser.parse_args()
    times = 3 if options.quick else max(options.times, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cassette = folder / "notebook.yaml"
        with VendorServer() as vendors:
            vendors.fail("openai", Fault.status(429, headers={"retry-after": "1"}), times=1)
            recording, _ = run(folder, cassette, "once", vendors.environ())
        seconds, outputs = zip(*(run(folder, cassette, "none", {}) for _ in range(times)), strict=True)
        print(f"recorded   {len(read(cassette).episodes)} calls, {cassette.stat().st_size:,} bytes, {recording:.2f} s")
    equal = len(set(outputs)) == 1
    print(
        f"replayed   {times} times, each in {statistics.median(seconds):.2f} s (median; {min(seconds):.2f} to "
        f"{max(seconds):.2f} s), {len(outputs[0]):,} bytes of outputs"
    )
    print(f"equal      {'yes, every byte' if equal else 'NO'} (sha256 {hashlib.sha256(outputs[0]).hexdigest()[:16]})")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
