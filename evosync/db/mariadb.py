"""The driver's connection, mended where PyMySQL 1.2 took away what aiomysql 0.3 uses."""

from typing import Any

import aiomysql
import pymysql.converters
from pymysql.constants import FIELD_TYPE

from evosync.db.types import utc


class Connection(aiomysql.Connection):  # type: ignore[misc] # aiomysql has no types
    """Writes bytes as hexadecimal literals; the driver's own way to do it is gone from PyMySQL."""

    async def rollback(self) -> None:
        """Nothing where the server says that no transaction is open: the pool asks for this after each reading."""
        if self.get_transaction_status():
            await super().rollback()

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
