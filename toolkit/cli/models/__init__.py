"""`toolkit models`: which models may answer, and in which order."""

import click

from toolkit.cli.models.asking import test
from toolkit.cli.models.changing import add, default, disable, edit, enable, remove, restore, set_
from toolkit.cli.models.files import export, import_
from toolkit.cli.models.listing import history, list_, select
from toolkit.cli.run import Commands, example


@click.group(cls=Commands, epilog=example("toolkit models list"))
def models() -> None:
    """Show and change which models may answer."""


for command in (
    *(list_, add, set_, edit, enable, disable, default, remove, history, restore),
    *(export, import_, select, test),
):
    models.add_command(command)
