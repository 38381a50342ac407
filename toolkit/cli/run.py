"""From a click command into the toolkit and back: the database it works on, its errors, its interruptions."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from toolkit.cli import terminal
from toolkit.errors import CassetteMiss, ConfigError, ToolkitError
from toolkit.redaction import redact
from toolkit.settings import Settings

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

T = TypeVar("T")
Decorated = TypeVar("Decorated", bound=Callable[..., Any])

ORIGIN = "toolkit-cli"
"""The application that the ledger and the sessions name for what is asked here."""

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended: 128 and the signal's number."""

_URL = "toolkit.database_url"


class Commands(click.Group):
    """Commands in the order in which they were added; an error of theirs is one sentence and exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in order."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().invoke(ctx)
        except (ToolkitError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise  # whoever read our output has gone; click ends quietly
            raise Failed(error) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            raise Failed(error) from error


class Failed(click.ClickException):
    """An error as one line: what is wrong and what to do."""

    def __init__(self, error: Exception) -> None:
        super().__init__(_sentence(error))

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - click's signature
        """Print it, and under `TOOLKIT_LOG_LEVEL=DEBUG` where it came from."""
        terminal.say(f"Error: {self.message}", "red", stderr=True)
        logging.getLogger(__name__).debug("where it came from", exc_info=self.__cause__)


def _sentence(error: Exception) -> str:
    known = isinstance(error, ToolkitError | OSError)
    said = redact(str(error))
    # What is not in a cassette is shown by lines; everything else is a sentence.
    text = (said if isinstance(error, CassetteMiss) else " ".join(said.split())) or type(error).__name__
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename} cannot be used: {error.strerror}."
    if known:
        return text
    return f"This is a defect of the toolkit ({type(error).__name__}: {text}); TOOLKIT_LOG_LEVEL=DEBUG shows where."


def database(command: Decorated) -> Decorated:
    """Give a command, or the group above it, the option `--db`."""
    return click.option(
        "--db",
        metavar="URL",
        expose_value=False,
        callback=_remember_database,
        help="sqlite:///FILE, sqlite:// (memory) or postgresql://…; else TOOLKIT_DATABASE_URL, else your own file.",
    )(command)


def _remember_database(ctx: click.Context, _option: click.Parameter, url: str | None) -> None:
    if url:
        ctx.meta[_URL] = url  # `meta` is shared by the group and the command: the last one said wins


def given_database() -> str | None:
    """The URL that `--db` said, None without it."""
    url: str | None = click.get_current_context().meta.get(_URL)
    return url


def json_output(command: Decorated) -> Decorated:
    """Give a command the option `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program to read.")(command)


def example(*lines: str) -> str:
    """The end of a command's help: what to type."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def chosen_settings() -> Settings:
    """What the environment and `--db` say.

    Raises:
        ConfigError: a variable cannot be used as written.
    """
    settings = Settings.from_env(database_url=given_database())
    logging.basicConfig(level=settings.log_level, format="%(levelname)s %(name)s: %(message)s")
    return settings


def open_toolkit() -> "Toolkit":
    """The toolkit that the command works on; nothing is opened yet."""
    settings = chosen_settings()
    from toolkit.toolkit import Toolkit  # noqa: PLC0415 - the house costs half a second, `toolkit --help` needs none of it

    return Toolkit.open(settings=settings)


def with_toolkit(work: Callable[["Toolkit"], Awaitable[T]]) -> T:
    """What `work` gives, from a toolkit that is open meanwhile."""

    async def inside() -> T:
        async with open_toolkit() as tk:
            return await work(tk)

    return asyncio.run(inside())


def pairs(arguments: tuple[str, ...]) -> dict[str, str]:
    """`NAME=VALUE` arguments as a mapping.

    Raises:
        ConfigError: one of them has no `=`.
    """
    given: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not (name and equals):
            raise ConfigError(f"{argument!r} is not NAME=VALUE; write for example query='circuit breaker'.")
        given[name] = value
    return given


def sentence(words: tuple[str, ...]) -> str:
    """Words of the command line as one text; the word `-` stands for what comes on standard input.

    Raises:
        ConfigError: it is empty.
    """
    text = " ".join(sys.stdin.read().strip() if word == "-" else word for word in words).strip()
    if not text:
        raise ConfigError("There is no text; write it after the command, or `-` to read it from standard input.")
    return text
