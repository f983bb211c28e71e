"""Roles, what they allow, and who holds them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.tables.users import permissions, role_permissions, roles, user_roles
from evosync.domain.ids import UserId


@dataclass(frozen=True, slots=True)
class Role:
    """A role with what it allows and how many people hold it."""

    id: int
    name: str
    built_in: bool
    permissions: frozenset[str]
    people: int = 0


async def list_roles(connection: AsyncConnection) -> Sequence[Role]:
    rows = await connection.execute(select(roles.c.id, roles.c.name, roles.c.built_in).order_by(roles.c.id))
    allowed: dict[int, set[str]] = {}
    given = await connection.execute(
        select(role_permissions.c.role_id, permissions.c.name).join(
            permissions, permissions.c.id == role_permissions.c.permission_id
        )
    )
    for role, permission in given:
        allowed.setdefault(role, set()).add(permission)
    held = await connection.execute(select(user_roles.c.role_id, func.count()).group_by(user_roles.c.role_id))
    people = {role: int(count) for role, count in held}
    return [
        Role(number, name, bool(built_in), frozenset(allowed.get(number, ())), people.get(number, 0))
        for number, name, built_in in rows
    ]


async def list_permissions(connection: AsyncConnection) -> Sequence[str]:
    """In the order in which they were made."""
    return list((await connection.execute(select(permissions.c.name).order_by(permissions.c.id))).scalars())


async def set_permissions(connection: AsyncConnection, role: int, names: Iterable[str]) -> None:
    await connection.execute(delete(role_permissions).where(role_permissions.c.role_id == role))
    wanted = set(names)
    rows = await connection.execute(select(permissions.c.id).where(permissions.c.name.in_(wanted)))
    values = [{"role_id": role, "permission_id": number} for number in rows.scalars()]
    if values:
        await connection.execute(insert(role_permissions), values)


async def set_roles(connection: AsyncConnection, user: UserId, names: Iterable[str]) -> None:
    wanted = set(names)
    await connection.execute(delete(user_roles).where(user_roles.c.user_id == user))
    rows = await connection.execute(select(roles.c.id).where(roles.c.name.in_(wanted)))
    values = [{"user_id": user, "role_id": number} for number in rows.scalars()]
    if values:
        await connection.execute(insert(user_roles), values)


async def lock_roles(connection: AsyncConnection) -> None:
    """Until the transaction ends nobody else changes who holds what: two people must not demote each other."""
    await connection.execute(select(roles.c.id).order_by(roles.c.id).with_for_update())
