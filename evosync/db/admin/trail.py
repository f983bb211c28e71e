"""The audit trail, searched and told with names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.admin.around import PAGE, U, count, like
from evosync.db.tables.site import audit
from evosync.db.tables.users import users
from evosync.domain.ids import UserId

_actor = users.alias("actor")


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """`text` is an address, a part of a name or an account's number, of whoever did it or had it done to him."""

    action: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry with the names of both people. A person is None once his account is deleted."""

    at: datetime
    action: str
    actor: UserId | None
    actor_called: str
    user: UserId | None
    user_called: str
    address: str
    details: Mapping[str, Any]


def _audit_where(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.action:
        found.append(audit.c.action == wanted.action)
    if wanted.text:
        either: list[ColumnElement[bool]] = []
        for side in (users, _actor):
            either.append(side.c.email.like(like(wanted.text.casefold()), escape="\\"))
            either += [
                side.c.name.like(like(spelling), escape="\\")
                for spelling in sorted({wanted.text, wanted.text.lower(), wanted.text.capitalize()})
            ]
        if wanted.text.isdecimal() and wanted.text.isascii() and len(wanted.text) <= 18:
            either += [audit.c.user_id == int(wanted.text), audit.c.actor_id == int(wanted.text)]
        found.append(or_(*either))
    return found


_AUDIT: Final = audit.outerjoin(users, U.id == audit.c.user_id).outerjoin(_actor, _actor.c.id == audit.c.actor_id)


async def count_audit(connection: AsyncConnection, wanted: AuditFilter) -> int:
    source = _AUDIT if wanted.text else audit
    return await count(connection, source, *_audit_where(wanted))


async def list_audit(
    connection: AsyncConnection, wanted: AuditFilter, *, page: int = 1, limit: int = PAGE, about: UserId | None = None
) -> Sequence[AuditRow]:
    """The newest first. `about` narrows to what concerns one person."""
    conditions = _audit_where(wanted)
    if about is not None:
        conditions.append(audit.c.user_id == about)
    query = (
        select(
            *(audit.c.at, audit.c.action, audit.c.actor_id, audit.c.user_id, audit.c.address, audit.c.details),
            *(U.name, U.email, U.phone),
            _actor.c.name.label("actor_name"),
            _actor.c.email.label("actor_email"),
            _actor.c.phone.label("actor_phone"),
        )
        .select_from(_AUDIT)
        .where(*conditions)
        .order_by(audit.c.at.desc(), audit.c.id.desc())
        .limit(limit)
        .offset((page - 1) * limit)
    )
    return [
        AuditRow(
            at=row["at"],
            action=row["action"],
            actor=UserId(row["actor_id"]) if row["actor_id"] is not None else None,
            actor_called=_named(row["actor_name"], row["actor_email"], row["actor_phone"], row["actor_id"]),
            user=UserId(row["user_id"]) if row["user_id"] is not None else None,
            user_called=_named(row["name"], row["email"], row["phone"], row["user_id"]),
            address=row["address"],
            details=row["details"] or {},
        )
        for row in (await connection.execute(query)).mappings()
    ]


def _named(name: str | None, email: str | None, phone: str | None, number: int | None) -> str:
    return name or email or phone or (f"№ {number}" if number is not None else "")


async def known_actions(connection: AsyncConnection) -> Sequence[str]:
    """Those that the trail has."""
    return sorted((await connection.execute(select(audit.c.action).distinct())).scalars())
