"""The command line for people: a command is a sentence, an error is one line and exit code 1."""

import click

from toolkit import __version__
from toolkit.cli.batch import batch
from toolkit.cli.cache import cache
from toolkit.cli.chat import ask, chat
from toolkit.cli.config import config
from toolkit.cli.db import db
from toolkit.cli.demo import demo
from toolkit.cli.doctor import doctor
from toolkit.cli.documents import ingest, search
from toolkit.cli.evaluate import evaluate
from toolkit.cli.jobs import jobs
from toolkit.cli.keys import keys
from toolkit.cli.limits import limits
from toolkit.cli.migrate import migrate
from toolkit.cli.models import models
from toolkit.cli.notebook import notebook
from toolkit.cli.prompts import prompts
from toolkit.cli.run import Commands, database, example
from toolkit.cli.sessions import sessions
from toolkit.cli.tools import tools
from toolkit.cli.usage import usage


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example("toolkit demo", "toolkit ingest docs/", 'toolkit ask "How do I …?"'),
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@database
def cli() -> None:
    """Sessions, tools, document search, and models that fall back to one another."""


for command in (
    demo,
    ingest,
    search,
    evaluate,
    ask,
    chat,
    batch,
    models,
    sessions,
    tools,
    prompts,
    usage,
    limits,
    keys,
    cache,
    jobs,
    notebook,
    migrate,
    db,
    doctor,
    config,
):
    cli.add_command(command)


def main() -> None:
    """Run `toolkit` with the arguments of the process."""
    cli(prog_name="toolkit")
