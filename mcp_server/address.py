"""The address that the HTTP server listens at; only this machine can reach it."""

import os
import socket
from ipaddress import ip_address

from toolkit.errors import ConfigError

DEFAULT = "127.0.0.1:8080"
LAST_PORT = 65_535


def listen(address: str) -> socket.socket:
    """A socket that listens at `address`.

    Args:
        address: `HOST:PORT`; the host is `localhost` or a loopback address (IPv6 in brackets), port 0 is any free one.

    Raises:
        ConfigError: it is no such address, or somebody else listens there.
    """
    host, _, port = address.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > LAST_PORT:
        raise ConfigError(f"{address!r} is no address; write HOST:PORT, e.g. {DEFAULT}.")
    if not _is_loopback(host):
        raise ConfigError(
            f"{host} can be reached from other machines, and this server does not ask who calls; use 127.0.0.1."
        )
    try:
        return socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            f"{address} cannot be listened at ({os.strerror(error.errno or 0)}); choose another port."
        ) from error


def url(listening: socket.socket) -> str:
    """Where a client on this machine finds the socket's server."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
