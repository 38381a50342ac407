"""The address that the HTTP server listens at."""

import os
import socket
from ipaddress import ip_address

from toolkit.errors import ConfigError

DEFAULT = "127.0.0.1:8080"
LAST_PORT = 65_535


def parsed(address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`: an IP address (IPv6 in brackets) or `localhost`, and port 0 for any free one.

    Raises:
        ConfigError: it is no such address.
    """
    host, _, port = address.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > LAST_PORT:
        raise ConfigError(f"{address!r} is no address; write HOST:PORT, e.g. {DEFAULT}.")
    try:
        ip_address(host)
    except ValueError:
        raise ConfigError(
            f"{host} is no IP address; write {DEFAULT} for this machine alone, or 0.0.0.0:{port} for every network."
        ) from None
    return host, int(port)


def is_public(address: str) -> bool:
    """Whether other machines can reach it."""
    return not ip_address(parsed(address)[0]).is_loopback


def listen(address: str) -> socket.socket:
    """A socket that listens at `address`.

    Raises:
        ConfigError: it is none, or somebody else listens there.
    """
    host, port = parsed(address)
    try:
        made = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            f"{address} cannot be listened at ({os.strerror(error.errno or 0)}); choose another port."
        ) from error
    # asyncio turns Nagle's algorithm off where a socket says that it is TCP's, and this one does not: without it every
    # second answer would wait 40 ms for the client to acknowledge its head.
    return socket.socket(made.family, made.type, socket.IPPROTO_TCP, fileno=made.detach())


def url(listening: socket.socket) -> str:
    """Where a client on this machine finds the socket's server."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
