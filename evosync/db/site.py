"""People, their single-use links, and the audit trail: the queries of the website."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import RowMapping, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.accounts import Taken as Taken  # noqa: PLC0414 - the pages know it from here
from evosync.db.accounts import UserStatus as UserStatus  # noqa: PLC0414 - as above
from evosync.db.accounts import create_user
from evosync.db.tables.site import audit, letters, links
from evosync.db.tables.users import permissions, role_permissions, roles, user_roles, users
from evosync.domain.ids import UserId

NOTICES: Final = ("broken", "expiring", "failing")
"""Letters that an owner can switch off; what is not named in his row is on."""


@dataclass(frozen=True, slots=True)
class Person:
    """An account. `notices` are the switches he has set."""

    id: UserId
    email: str | None
    phone: str | None
    name: str
    password_hash: str | None
    status: UserStatus
    language: str
    time_zone: str
    notices: Mapping[str, bool]
    email_confirmed_at: datetime | None
    consent_at: datetime | None
    created_at: datetime

    @property
    def called(self) -> str:
        """What the page calls him."""
        return self.name or self.email or self.phone or f"№ {self.id}"

    def wants(self, notice: str) -> bool:
        return bool(self.notices.get(notice, True))


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whoever looks at a page, and what he may do there."""

    person: Person
    roles: frozenset[str]
    permissions: frozenset[str]

    @property
    def id(self) -> UserId:
        return self.person.id

    @property
    def is_admin(self) -> bool:
        """Whether the other building has a door for him."""
        return bool(self.permissions)

    def may(self, permission: str) -> bool:
        return permission in self.permissions


def _person(row: RowMapping) -> Person:
    return Person(
        id=UserId(row["id"]),
        email=row["email"],
        phone=row["phone"],
        name=row["name"],
        password_hash=row["password_hash"],
        status=UserStatus(row["status"]),
        language=row["language"],
        time_zone=row["time_zone"],
        notices=row["notices"] or {},
        email_confirmed_at=row["email_confirmed_at"],
        consent_at=row["consent_at"],
        created_at=row["created_at"],
    )


# Built once, and one question: every page asks it, and a way to the server and back takes longer than the answer.
_VIEWER: Final = (
    select(users, roles.c.name.label("role"), permissions.c.name.label("permission"))
    .select_from(
        users.outerjoin(user_roles, user_roles.c.user_id == users.c.id)
        .outerjoin(roles, roles.c.id == user_roles.c.role_id)
        .outerjoin(role_permissions, role_permissions.c.role_id == roles.c.id)
        .outerjoin(permissions, permissions.c.id == role_permissions.c.permission_id)
    )
    .where(users.c.id == bindparam("user"))
)
_PERSON: Final = select(users).where(users.c.id == bindparam("user"))


async def person(connection: AsyncConnection, user: UserId) -> Person | None:
    row = (await connection.execute(_PERSON, {"user": user})).mappings().first()
    return _person(row) if row is not None else None


async def person_by_email(connection: AsyncConnection, email: str) -> Person | None:
    """`email` is folded."""
    row = (await connection.execute(select(users).where(users.c.email == email))).mappings().first()
    return _person(row) if row is not None else None


async def viewer(connection: AsyncConnection, user: UserId) -> Viewer | None:
    held = (await connection.execute(_VIEWER, {"user": user})).mappings().all()
    if not held:
        return None
    return Viewer(
        _person(held[0]),
        roles=frozenset(row["role"] for row in held if row["role"]),
        permissions=frozenset(row["permission"] for row in held if row["permission"]),
    )


async def add_person(
    connection: AsyncConnection,
    *,
    email: str | None,
    name: str,
    password_hash: str | None,
    status: UserStatus,
    language: str,
    time_zone: str,
    at: datetime,
    phone: str | None = None,
    consent_at: datetime | None = None,
    role: str = "user",
) -> UserId:
    """Raises `Taken`."""
    return await create_user(
        connection,
        email=email,
        role=role,
        password_hash=password_hash,
        status=status,
        name=name,
        phone=phone,
        language=language,
        time_zone=time_zone,
        consent_at=consent_at,
        at=at,
    )


async def change_person(connection: AsyncConnection, user: UserId, **values: Any) -> None:
    """Sets columns of the row. Raises `Taken` where `email` belongs to somebody else."""
    try:
        async with connection.begin_nested():
            await connection.execute(update(users).where(users.c.id == user).values(**values))
    except IntegrityError as error:
        raise Taken from error


async def lock_person(connection: AsyncConnection, user: UserId) -> Person | None:
    """The row, held until the transaction ends (on SQLite a writer is alone anyway)."""
    row = (await connection.execute(select(users).where(users.c.id == user).with_for_update())).mappings().first()
    return _person(row) if row is not None else None


async def remove_person(connection: AsyncConnection, user: UserId) -> None:
    """Erases the account with everything that hangs on it: connections, catalogs, history, letters."""
    await connection.execute(delete(user_roles).where(user_roles.c.user_id == user))
    await connection.execute(delete(letters).where(letters.c.user_id == user))
    await connection.execute(delete(links).where(links.c.user_id == user))
    await connection.execute(delete(users).where(users.c.id == user))


async def count_of_role(connection: AsyncConnection, role: str, *, besides: UserId) -> int:
    """How many active people have the role, not counting one; until the transaction ends nobody else counts them."""
    await connection.execute(select(roles.c.id).where(roles.c.name == role).with_for_update())
    found = await connection.scalar(
        select(func.count())
        .select_from(
            user_roles.join(roles, roles.c.id == user_roles.c.role_id).join(users, users.c.id == user_roles.c.user_id)
        )
        .where(roles.c.name == role, user_roles.c.user_id != besides, users.c.status == UserStatus.ACTIVE.value)
    )
    return int(found or 0)


class Purpose(StrEnum):
    """What a single-use link is for."""

    CONFIRM = "confirm"
    NEW_EMAIL = "new_email"
    RESET = "reset"
    INVITE = "invite"


@dataclass(frozen=True, slots=True)
class Link:
    """A single-use link as it is kept: without the link itself."""

    id: int
    user: UserId
    purpose: Purpose
    nonce: bytes
    hash: bytes
    detail: str
    expires_at: datetime
    used_at: datetime | None


def _link(row: RowMapping) -> Link:
    return Link(
        id=row["id"],
        user=UserId(row["user_id"]),
        purpose=Purpose(row["purpose"]),
        nonce=bytes(row["nonce"]),
        hash=bytes(row["hash"]),
        detail=row["detail"],
        expires_at=row["expires_at"],
        used_at=row["used_at"],
    )


async def add_link(
    connection: AsyncConnection,
    *,
    user: UserId,
    purpose: Purpose,
    nonce: bytes,
    hashed: bytes,
    detail: str,
    at: datetime,
    expires_at: datetime,
) -> int:
    made = await connection.execute(
        insert(links).values(
            user_id=user,
            purpose=purpose.value,
            nonce=nonce,
            hash=hashed,
            detail=detail,
            created_at=at,
            expires_at=expires_at,
            used_at=None,
        )
    )
    return _new_id(made)


async def link_by_hash(connection: AsyncConnection, hashed: bytes) -> Link | None:
    row = (await connection.execute(select(links).where(links.c.hash == hashed))).mappings().first()
    return _link(row) if row is not None else None


async def link(connection: AsyncConnection, number: int) -> Link | None:
    row = (await connection.execute(select(links).where(links.c.id == number))).mappings().first()
    return _link(row) if row is not None else None


async def use_link(connection: AsyncConnection, number: int, *, at: datetime) -> bool:
    """True for exactly one of all who try."""
    changed = await connection.execute(
        update(links).where(links.c.id == number, links.c.used_at.is_(None), links.c.expires_at > at).values(used_at=at)
    )
    return bool(changed.rowcount == 1)


async def drop_links(connection: AsyncConnection, user: UserId, purposes: Iterable[Purpose], *, at: datetime) -> None:
    """Makes all unused links of these purposes useless."""
    wanted = [purpose.value for purpose in purposes]
    await connection.execute(
        update(links)
        .where(links.c.user_id == user, links.c.purpose.in_(wanted), links.c.used_at.is_(None))
        .values(used_at=at)
    )


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


async def audit_of(connection: AsyncConnection, user: UserId, *, limit: int) -> Sequence[AuditEntry]:
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


def _new_id(result: Any) -> int:
    return int(result.inserted_primary_key[0])
