"""Who asks: an id for the request, and the address, through the proxy where there is one."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from aiohttp import web

from evosync.logs import bound
from evosync.web.keys import CLIENT, SERVICES, Client

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def client_address(remote: str, forwarded: Sequence[str], proxies: Sequence[str]) -> str:
    """The address of the last one in the chain who is no proxy of ours.

    `forwarded` is what `X-Forwarded-For` lists: anybody can write its beginning, only our proxies write its end.
    """
    networks = [ip_network(proxy, strict=False) for proxy in proxies]
    for hop in [remote, *reversed(forwarded)]:
        if not _is_within(hop, networks):
            return hop if _is_address(hop) else remote
        remote = hop
    return remote


def _is_within(text: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks if network.version == address.version)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def has_hung_up(request: web.Request) -> bool:
    """Whether nobody is there any more to be answered: his broken line is no trouble of ours."""
    return request.transport is None or request.transport.is_closing()


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    services = request.app[SERVICES]
    forwarded = [part.strip() for header in request.headers.getall("X-Forwarded-For", ()) for part in header.split(",")]
    request[CLIENT] = Client(
        id=secrets.token_hex(8),
        address=client_address(request.remote or "", forwarded, services.site.proxies),
        agent=request.headers.get("User-Agent", "")[:300],
        at=services.clock(),
    )
    with bound(request_id=request[CLIENT].id):
        return await handler(request)
