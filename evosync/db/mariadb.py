"""The driver's connection, mended where PyMySQL 1.2 took away what aiomysql 0.3 uses."""

import socket
from typing import Any, Final

import aiomysql
import pymysql.converters
from pymysql.constants import FIELD_TYPE

from evosync.db.types import utc

_ALIVE: Final = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}
"""As the queue's: after how many silent seconds the server's machine is asked, how often, and how many times.

A statement that takes long is not hurt: the server's kernel answers for it.
"""
if hasattr(socket, "TCP_USER_TIMEOUT"):
    # Milliseconds. Nobody is asked while something sent is unacknowledged: it is sent again for a quarter of an hour.
    _ALIVE[socket.TCP_USER_TIMEOUT] = 30_000


class Connection(aiomysql.Connection):  # type: ignore[misc] # aiomysql has no types
    """Writes bytes as hexadecimal literals; the driver's own way to do it is gone from PyMySQL."""

    async def rollback(self) -> None:
        """Nothing where the server says that no transaction is open: the pool asks for this after each reading."""
        if self.get_transaction_status():
            await super().rollback()

    def _set_keep_alive(self) -> None:
        """Called for a connection over TCP. The driver leaves the times to the system, which asks after two hours."""
        super()._set_keep_alive()
        line = self._writer.transport.get_extra_info("socket")
        for option, value in _ALIVE.items():
            line.setsockopt(socket.IPPROTO_TCP, option, value)

    def escape(self, value: object) -> str:
        if isinstance(value, bytes | bytearray):
            return f"x'{value.hex()}'"
        return str(super().escape(value))


def conversions() -> dict[Any, Any]:
    """How values are read: times as aware UTC, and not by regular expression as the driver would."""
    found: dict[Any, Any] = dict(pymysql.converters.conversions)
    found[FIELD_TYPE.DATETIME] = utc
    return found


async def connect(**options: Any) -> Connection:
    connection = Connection(**options)
    await connection._connect()  # noqa: SLF001 - what aiomysql.connect() does, with the class of its choice
    return connection
