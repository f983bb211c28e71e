"""The audit trail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.tables.site import audit
from evosync.domain.ids import UserId


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to whose account."""

    id: int
    at: datetime
    action: str
    actor: UserId | None
    user: UserId | None
    address: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


async def record(
    connection: AsyncConnection,
    action: str,
    *,
    actor: UserId | None,
    user: UserId | None,
    at: datetime,
    address: str = "",
    **details: Any,
) -> None:
    """An entry of the audit trail. `details` never hold a name, an address of a person, or a secret."""
    await connection.execute(
        insert(audit).values(at=at, actor_id=actor, user_id=user, action=action, details=details, address=address[:45])
    )


async def of(connection: AsyncConnection, user: UserId, *, limit: int) -> Sequence[AuditEntry]:
    """The newest first."""
    rows = await connection.execute(
        select(audit).where(audit.c.user_id == user).order_by(audit.c.at.desc(), audit.c.id.desc()).limit(limit)
    )
    return [
        AuditEntry(
            id=row["id"],
            at=row["at"],
            action=row["action"],
            actor=UserId(row["actor_id"]) if row["actor_id"] is not None else None,
            user=UserId(row["user_id"]) if row["user_id"] is not None else None,
            address=row["address"],
            details=row["details"] or {},
        )
        for row in rows.mappings()
    ]
