"""`toolkit demo`: the main job from end to end, shown."""

import asyncio
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click

from toolkit.cli import terminal
from toolkit.cli.run import example


@click.command(epilog=example("toolkit demo", "toolkit demo docs/ --question 'How do I install it?' --keep demo/"))
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--question", help="What to ask the documents; else something that they can answer.")
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the database there; else nothing stays.",
)
def demo(path: Path | None, question: str | None, keep: Path | None) -> None:
    """Show the main job from end to end. It reads PATH or the toolkit's own files, without a key or a network."""
    from toolkit.cli.demonstration import Demonstration  # noqa: PLC0415 - it brings the MCP client, half a second

    with _folder(keep) as folder:
        try:
            asyncio.run(Demonstration(Path(folder), path, question, kept=keep is not None).run())
        except KeyboardInterrupt:
            terminal.note(
                "\nStopped. The server is ended" + (f"; {keep} is kept." if keep else " and nothing is left.")
            )
            raise


def _folder(keep: Path | None) -> AbstractContextManager[str]:
    if keep is None:
        return tempfile.TemporaryDirectory(prefix="toolkit-demo-")
    keep.mkdir(parents=True, exist_ok=True)
    return nullcontext(str(keep.absolute()))
