"""People as the website sees them: who looks at a page, and what he may do there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, bindparam, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.accounts import Taken, UserStatus
from evosync.db.tables.site import letters, links
from evosync.db.tables.users import permissions, role_permissions, roles, user_roles, users
from evosync.domain.ids import UserId

NOTICES: Final = ("broken", "expiring", "failing")
"""Letters that an owner can switch off; what is not named in his row is on."""


@dataclass(frozen=True, slots=True)
class Person:
    """An account. Its roles are the viewer's; `notices` are the switches he has set."""

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

    def __repr__(self) -> str:
        return f"Person({self.id})"

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
