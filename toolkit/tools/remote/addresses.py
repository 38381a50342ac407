"""HTTP that reaches only the addresses it may reach.

A name is looked up once, every address is checked, and the connection goes to a checked one: a name that answers
differently the second time gains nothing.
"""

import ipaddress
import socket
from typing import TypeAlias

import anyio
import httpx2

from toolkit.errors import ToolError

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_REFUSAL = 'which tools may not reach; whoever runs this may allow it with "allow_private": true in the handler'


class CheckedTransport(httpx2.AsyncBaseTransport):
    """A transport that looks up names itself.

    It follows no redirect, keeps no cookie, and takes no proxy from the environment: a proxy would look up the name
    again.

    Args:
        private: addresses of this machine and of private networks may be reached too.
        refusal: how the message goes on that names one that may not.
    """

    def __init__(self, *, private: bool, refusal: str = _REFUSAL) -> None:
        self._private = private
        self._refusal = refusal
        self._tls = httpx2.create_ssl_context()
        # One for each name: a connection that was made for one name must not serve another of the same address.
        self._by_name: dict[tuple[str, str, int | None], httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it to the first address of its host that may be reached and can be.

        Raises:
            ToolError: the host is unknown, or is none that may be reached.
            httpx2.TransportError: none of its addresses can be reached, or the connection failed.
        """
        url = request.url
        key = (url.scheme, url.host, url.port)
        transport = self._by_name.setdefault(key, httpx2.AsyncHTTPTransport(verify=self._tls))
        addresses = await _addresses(url.host, url.port or (443 if url.scheme == "https" else 80))
        allowed = [each for each in addresses if self._private or is_public(each)]
        if not allowed:
            raise ToolError(f"{url.host} is an address of a private network ({addresses[0]}), {self._refusal}.")
        for number, address in enumerate(allowed, start=1):
            # The name stays in the header Host, and is what the certificate must be made for.
            pinned = httpx2.Request(
                request.method,
                url.copy_with(host=str(address)),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": url.host},
            )
            try:
                return await transport.handle_async_request(pinned)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if number == len(allowed):
                    raise
        raise AssertionError(allowed)  # pragma: no cover - the loop returns or raises

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._by_name.values():
            await transport.aclose()
        self._by_name.clear()


def is_public(address: _Address) -> bool:
    """Whether it belongs to the internet, rather than to this machine, a private network or a cloud's own services."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and (address in _NAT64 or address in _IPV4_COMPATIBLE):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def _addresses(host: str, port: int) -> list[_Address]:
    try:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ToolError(f"The host {host} cannot be found; check its name, or try again later.") from error
    return list(dict.fromkeys(ipaddress.ip_address(str(where[0]).partition("%")[0]) for *_, where in found))
