"""Owners laid out in the database as their runs would have left them: one is mirrored, the others are copies of him."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db import accounts, connections, mirrors
from evosync.db.engine import Database
from evosync.db.tables import metadata
from evosync.db.tables import mirrors as mirror_rows
from evosync.domain.ids import CommunityId, UserId
from evosync.domain.schedule import Rhythm, next_slot
from evosync.security.seal import Sealer

COPIED = (
    "sync_filters", "cached_stores", "cached_groups", "cached_products", "item_links", "album_links",
    "vk_cached_albums", "vk_cached_products",
)  # fmt: skip
_PIECE = 50
"""Owners in one statement: about a hundred thousand rows of all tables."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Copies of `pattern` in MariaDB; owner `number` is that of the clouds."""

    database: Database
    sealer: Sealer
    pattern: UserId
    at: datetime

    async def crowd(self, owners: int, *, password: str, history: int) -> list[UserId]:
        """Owners 2 to `owners`, each with so many runs behind him that changed nothing; all their ids, in order."""
        users = [self.pattern]
        for first in range(2, owners + 1, _PIECE):
            numbers = range(first, min(first + _PIECE, owners + 1))
            made = await self.database.write(
                lambda connection, numbers=numbers: self._people(connection, numbers, password)  # type: ignore[misc]  # bound at once
            )
            await self.database.write(
                lambda connection, made=made: self._copies(connection, made, history)  # type: ignore[misc]  # bound at once
            )
            users += made
        await self.database.write(lambda connection: accounts.set_password(connection, self.pattern, password))
        return users

    async def _people(self, connection: AsyncConnection, numbers: range, password: str) -> list[UserId]:
        made = []
        for number in numbers:
            user = await accounts.create_user(
                connection,
                email=email(number),
                role="user",
                password_hash=password,
                status=accounts.UserStatus.ACTIVE,
                at=self.at,
            )
            await connections.save_evotor(
                connection, user, f"cloud-token-{number}", till_user=None, sealer=self.sealer, at=self.at
            )
            await connections.save_vk(
                connection,
                user,
                f"vk-token-{number}",
                community=CommunityId(300_000 + number),
                name=f"Магазин {number}",
                vk_user_id=None,
                expires_at=None,
                sealer=self.sealer,
                at=self.at,
            )
            made.append(user)
        return made

    async def _copies(self, connection: AsyncConnection, users: Sequence[UserId], history: int) -> None:
        known = {"pattern": self.pattern, "first": users[0], "last": users[-1]}
        for name in COPIED:
            columns = [column.name for column in metadata.tables[name].columns]
            values = ", ".join(_value(name, column) for column in columns)
            await connection.execute(
                text(
                    f"INSERT INTO {name} ({', '.join(columns)}) SELECT {values} FROM {name} p"  # noqa: S608 - names of our own tables
                    " JOIN vk_connections v ON v.user_id BETWEEN :first AND :last WHERE p.user_id = :pattern"
                ),
                known,
            )
        for name in ("sync_configs", "mirrors"):
            columns = [column.name for column in metadata.tables[name].columns if column.name != "user_id"]
            values = ", ".join(f"c.{column} = p.{column}" for column in columns)
            await connection.execute(
                text(
                    f"UPDATE {name} c JOIN {name} p ON p.user_id = :pattern SET {values}"  # noqa: S608 - as above
                    " WHERE c.user_id BETWEEN :first AND :last"
                ),
                known,
            )
        columns = [column.name for column in metadata.tables["sync_runs"].columns if column.name != "id"]
        values = ", ".join(_of_a_run(column) for column in columns)
        await connection.execute(
            text(
                f"INSERT INTO sync_runs ({', '.join(columns)}) SELECT {values} FROM sync_runs p"  # noqa: S608 - as above
                f" JOIN mirrors m ON m.last_run_id = p.id AND m.user_id = :pattern JOIN seq_{max(history, 1)}_to_1 s"
                " JOIN vk_connections v ON v.user_id BETWEEN :first AND :last"
            ),
            known,
        )
        await connection.execute(
            text(
                "UPDATE mirrors m SET last_run_id = (SELECT MAX(r.id) FROM sync_runs r WHERE r.user_id = m.user_id)"
                " WHERE m.user_id BETWEEN :first AND :last"
            ),
            known,
        )

    async def place(
        self, users: Sequence[UserId], resting: Sequence[UserId], *, rhythm: Rhythm, begin: datetime
    ) -> None:
        """From `begin` on `users` are due as `rhythm` has it, evenly; `resting` not at all."""
        await self.database.write(
            lambda connection: self._place(connection, users, resting, rhythm=rhythm, begin=begin)
        )

    async def _place(
        self,
        connection: AsyncConnection,
        users: Sequence[UserId],
        resting: Sequence[UserId],
        *,
        rhythm: Rhythm,
        begin: datetime,
    ) -> None:
        dice = random.Random(5)
        rows = []
        c = mirror_rows.c
        readings = await connection.scalar(select(c.readings).where(c.user_id == self.pattern))
        known = {store: mirrors.reading_of(value) for store, value in (readings or {}).items()}
        for user in users:
            turn = next_slot(user, now=begin - rhythm.step / 2, interval=rhythm.step)
            read = turn - rhythm.step * dice.randrange(1, max(int(rhythm.full / rhythm.step), 1) + 1)
            placed = {store: replace(each, full_at=read, delta_at=turn - rhythm.step) for store, each in known.items()}
            rows.append(
                {
                    "user": user,
                    "at": turn,
                    "said": {store: mirrors._reading_to_json(each) for store, each in placed.items()},
                    "read": read,
                }
            )
        a_day = begin + timedelta(days=1)
        rows += [{"user": user, "at": a_day, "said": readings, "read": begin} for user in resting]
        if rows:
            await connection.execute(
                update(mirror_rows)
                .where(c.user_id == bindparam("user"))
                .values(next_at=bindparam("at"), readings=bindparam("said"), shop_read_at=bindparam("read")),
                rows,
            )


def email(number: int) -> str:
    return f"owner{number}@example.com"


def _value(table: str, column: str) -> str:
    if column == "user_id":
        return "v.user_id"
    if column == "community_id" or (column == "group_id" and table.startswith("vk_")):
        return "v.group_id"
    if column == "till_user":
        return "CONCAT('01-', LPAD(v.group_id - 300000, 15, '0'))"
    return f"p.{column}"


def _of_a_run(column: str) -> str:
    if column == "user_id":
        return "v.user_id"
    if column.endswith("_at"):
        return f"p.{column} - INTERVAL s.seq * 5 MINUTE"
    return f"p.{column}"
