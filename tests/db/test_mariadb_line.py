"""The line to MariaDB, as the service opens it."""

import socket
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.engine import Database, make_engine
from tests.services import MariaDB


async def line_of(connection: AsyncConnection) -> socket.socket:
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    line: socket.socket = raw._writer.transport.get_extra_info("socket")
    return line


async def test_a_line_that_went_silent_is_noticed_in_half_a_minute(mariadb_url: str) -> None:
    database = Database(make_engine(mariadb_url))
    async with database.reading() as connection:
        line = await line_of(connection)
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        asked = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        assert [line.getsockopt(socket.IPPROTO_TCP, option) for option in asked] == [10, 5, 3, 30_000]
        assert await connection.scalar(text("SELECT 1")) == 1
    await database.close()


async def test_a_socket_on_the_same_machine_is_left_as_it_is(private_mariadb: MariaDB, tmp_path: Path) -> None:
    with private_mariadb.database() as url:
        there = make_url(url).update_query_dict({"unix_socket": str(tmp_path / "mariadb" / "db.sock")})
        database = Database(make_engine(there.render_as_string(hide_password=False)))
        async with database.reading() as connection:
            assert (await line_of(connection)).family == socket.AF_UNIX
            assert await connection.scalar(text("SELECT 1")) == 1
        await database.close()
