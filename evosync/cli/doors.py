"""The addresses that a process listens on, taken before anything of it starts."""

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from evosync.cli.errors import UserError

Door = Sequence[socket.socket]
"""One name may stand for several addresses, as localhost does."""

# Both say the same to a person: this machine has no such address.
_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


@dataclass(frozen=True, slots=True)
class Doors:
    """Bound, and not listening yet: whoever knocks meanwhile is refused and comes again."""

    main: Door
    metrics: Door | None = None


@contextmanager
def taken(host: str, port: int, *, metrics_port: int | None = None) -> Iterator[Doors]:
    """Raises `UserError` if somebody else has one of them, or the machine has no such address."""
    with ExitStack() as stack:
        main = _door(stack, host, port, "--port or EVOSYNC_PORT")
        metrics = None if metrics_port is None else _door(stack, host, metrics_port, "METRICS_PORT")
        yield Doors(main, metrics)


def refused(where: str, error: OSError, setting: str) -> UserError:
    """What to tell whoever asked for an address that cannot be had."""
    if error.errno == errno.EADDRINUSE:
        return UserError(f"cannot listen on {where}: somebody else does; choose another port with {setting}")
    reason = error.strerror or type(error).__name__
    return UserError(f"cannot listen on {where}: {reason}; choose another with --host, or with {setting}")


def _door(stack: ExitStack, host: str, port: int, setting: str) -> Door:
    door: list[socket.socket] = []
    not_here: OSError | None = None
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _name, address in dict.fromkeys(found):
            try:
                door.append(stack.enter_context(_bound(family, kind, protocol, address)))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                not_here = error
        if not door:
            raise not_here or OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    except OSError as error:
        raise refused(f"{host}:{port}", error, setting) from None
    return door


def _bound(family: int, kind: int, protocol: int, address: object) -> socket.socket:
    one = socket.socket(family, kind, protocol)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what a former process left half closed is no bar
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)  # type: ignore[arg-type]  # as `getaddrinfo` gave it
    except OSError:
        one.close()
        raise
    return one
