"""How accounts come to be."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.tables import mirrors, roles, sync_configs, user_roles, users
from evosync.domain.ids import UserId


class UserStatus(StrEnum):
    """`PENDING`: neither the address nor an invitation is confirmed. `SUSPENDED`: an admin stopped the account."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"


ACTIVE = UserStatus.ACTIVE.value


class Taken(Exception):
    """Another account has this email."""


_u = users.c


def fold_email(email: str) -> str:
    """The form in which addresses are stored and compared."""
    return email.strip().casefold()


async def create_user(
    connection: AsyncConnection,
    *,
    email: str | None,
    role: str,
    password_hash: str | None = None,
    status: UserStatus = UserStatus.PENDING,
    name: str = "",
    phone: str | None = None,
    language: str = "ru",
    time_zone: str = "Europe/Moscow",
    consent_at: datetime | None = None,
    at: datetime,
) -> UserId:
    """Makes the account with its role, settings and mirror. Raises `NoResultFound` for an unknown role.

    Raises `Taken`, after which the transaction can go on.
    """
    role_id = (await connection.execute(select(roles.c.id).where(roles.c.name == role))).scalar_one()
    try:
        async with connection.begin_nested():
            made = await connection.execute(
                insert(users)
                .returning(_u.id)
                .values(
                    email=None if email is None else fold_email(email),
                    phone=phone,
                    name=name,
                    password_hash=password_hash,
                    status=status.value,
                    language=language,
                    time_zone=time_zone,
                    notices={},
                    consent_at=consent_at,
                    created_at=at,
                )
            )
            user = UserId(made.scalar_one())
    except IntegrityError as error:
        raise Taken("another account has this email") from error
    await connection.execute(insert(user_roles).values(user_id=user, role_id=role_id))
    await give_mirror(connection, user)
    return user


async def give_mirror(connection: AsyncConnection, user: UserId) -> None:
    """The settings and the mirror that every account has from the start."""
    await connection.execute(
        insert(sync_configs).values(user_id=user, allowed_kinds=[], store_order=[], new_groups_on=[])
    )
    await connection.execute(
        insert(mirrors).values(user_id=user, wanted_reasons=[], run_with="", readings={}, pauses={}, failures=0)
    )


async def set_password(connection: AsyncConnection, user: UserId, password_hash: str) -> None:
    await connection.execute(update(users).where(_u.id == user).values(password_hash=password_hash))


async def roles_of(connection: AsyncConnection, user: UserId) -> frozenset[str]:
    query = (
        select(roles.c.name).join(user_roles, user_roles.c.role_id == roles.c.id).where(user_roles.c.user_id == user)
    )
    return frozenset((await connection.execute(query)).scalars())
