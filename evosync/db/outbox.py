"""The outbox: letters that wait, and who sends them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.tables.site import letters
from evosync.db.tables.users import users
from evosync.domain.ids import UserId


class LetterState(StrEnum):
    """Where a letter is on its way."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    """Given up, or of no use any more."""


@dataclass(frozen=True, slots=True)
class LetterRow:
    """A letter of the outbox."""

    id: int
    user: UserId
    channel: str
    kind: str
    address: str
    language: str
    values: Mapping[str, Any]
    link_id: int | None
    tries: int
    created_at: datetime
    zone: str = ""


async def add_letter(
    connection: AsyncConnection,
    *,
    user: UserId,
    channel: str,
    kind: str,
    address: str,
    language: str,
    values: Mapping[str, Any],
    link_id: int | None,
    at: datetime,
    not_before: datetime | None = None,
) -> int:
    made = await connection.execute(
        insert(letters).values(
            user_id=user,
            channel=channel,
            kind=kind,
            address=address,
            language=language,
            values=dict(values),
            link_id=link_id,
            state=LetterState.WAITING.value,
            tries=0,
            error="",
            created_at=at,
            next_at=not_before or at,
            sent_at=None,
        )
    )
    return _new_id(made)


async def due_letters(connection: AsyncConnection, *, at: datetime, limit: int) -> Sequence[LetterRow]:
    rows = await connection.execute(
        select(letters, users.c.time_zone.label("zone"))
        .join(users, users.c.id == letters.c.user_id)
        .where(letters.c.state == LetterState.WAITING.value, letters.c.next_at <= at)
        .order_by(letters.c.next_at, letters.c.id)
        .limit(limit)
    )
    return [
        LetterRow(
            id=row["id"],
            user=UserId(row["user_id"]),
            channel=row["channel"],
            kind=row["kind"],
            address=row["address"],
            language=row["language"],
            values=row["values"],
            link_id=row["link_id"],
            tries=row["tries"],
            created_at=row["created_at"],
            zone=row["zone"],
        )
        for row in rows.mappings()
    ]


async def claim_letter(connection: AsyncConnection, letter: LetterRow, *, until: datetime) -> bool:
    """Takes the letter for this sender until then; True for exactly one of several processes."""
    changed = await connection.execute(
        update(letters)
        .where(
            letters.c.id == letter.id,
            letters.c.state == LetterState.WAITING.value,
            letters.c.tries == letter.tries,
        )
        .values(tries=letter.tries + 1, next_at=until)
    )
    return bool(changed.rowcount == 1)


async def finish_letter(
    connection: AsyncConnection, number: int, *, state: LetterState, error: str = "", at: datetime
) -> None:
    sent = at if state is LetterState.SENT else None
    await connection.execute(
        update(letters).where(letters.c.id == number).values(state=state.value, error=error, sent_at=sent)
    )


async def delay_letter(connection: AsyncConnection, number: int, *, error: str, next_at: datetime) -> None:
    await connection.execute(update(letters).where(letters.c.id == number).values(error=error, next_at=next_at))


def _new_id(result: Any) -> int:
    return int(result.inserted_primary_key[0])
