"""The command `toolkit-mcp`: the toolkit for agent hosts, on standard input and output or on HTTP."""

import asyncio
import gc
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

import toolkit
from mcp_server import address
from mcp_server.operations.collecting import exporting
from mcp_server.operations.logs import announce, log_to_stderr
from toolkit.errors import ToolkitError
from toolkit.settings import Settings

if TYPE_CHECKING:
    from mcp.server import Server

    from mcp_server.house import House


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--db", metavar="URL", help="sqlite:///file.db, sqlite:// (memory) or postgresql://…")
@click.option(
    "--http",
    metavar="HOST:PORT",
    is_flag=False,
    flag_value=address.DEFAULT,
    help=f"Serve HTTP instead of standard input and output; without a value {address.DEFAULT}.",
)
@click.option(
    "--tools",
    metavar="PRESET|NAME,-NAME",
    help="Which tools to offer; `-` leaves one out. Without it TOOLKIT_TOOLS, else default.",
)
@click.option("--read-only", is_flag=True, help="Offer only tools that change nothing.")
@click.version_option(toolkit.__version__, prog_name="toolkit-mcp")
def main(db: str | None, http: str | None, tools: str | None, read_only: bool) -> None:
    """Serve the toolkit to an agent host over MCP."""
    try:
        settings = Settings.from_env(database_url=db)
        log_to_stderr(settings.log_level, settings.log_format)
        if http:
            address.parsed(http)  # told before anything is imported
        with exporting(settings.environ):
            told = asyncio.run(_serve(settings, settings.tools if tools is None else tools, read_only, http))
    except ToolkitError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        told = signal.SIGINT
    sys.exit(130 if told is signal.SIGINT else 0)


async def _serve(settings: Settings, tools: str, read_only: bool, http: str | None) -> signal.Signals | None:
    # The SDK costs half a second, which `--help` and a wrong option need not. What is made meanwhile stays for good:
    # the collector would look through it again and again and find nothing.
    gc.disable()
    from mcp_server.house import House  # noqa: PLC0415 - see above
    from mcp_server.presets import Offer  # noqa: PLC0415 - see above
    from mcp_server.server import create_server  # noqa: PLC0415 - see above

    house = House(lambda: toolkit.Toolkit.open(settings=settings))
    offer = Offer.of(tools, read_only=read_only)
    if not offer.is_usual:
        await house.furnish()  # it may name tools of other servers
    server = create_server(house, offer)
    gc.freeze()
    gc.enable()
    try:
        if http is None:
            from mcp_server.stdio import serve_stdio  # noqa: PLC0415 - only one of the two transports is used

            if sys.stdin.isatty():
                click.echo(
                    "Waiting for an agent host on standard input; `toolkit config` says how to name it.", err=True
                )
            return await serve_stdio(server)
        return await _serve_http(server, house, settings, http)
    finally:
        await house.close()


async def _serve_http(server: "Server[Any]", house: "House", settings: Settings, http: str) -> signal.Signals | None:
    from mcp_server.app import create_app, serve_http  # noqa: PLC0415 - only one of the two transports is used
    from mcp_server.bearer import must_ask  # noqa: PLC0415 - the same

    _ = house.toolkit  # a setting that cannot be used is told now, and not to the first who asks
    public = address.is_public(http)
    if public and not settings.http.asks:
        await must_ask(house, http)
    listening = address.listen(http)
    url = address.url(listening)
    announce(f"Serving MCP at {url}/mcp", settings.log_format)
    announce(f"For OpenAI's clients: {url}/v1, for people: {url}/admin, described at {url}/docs", settings.log_format)
    app = create_app(server, house, settings.http, public=public, log_content=settings.log_content)
    return await serve_http(app, listening, settings.http)


if __name__ == "__main__":
    main()
