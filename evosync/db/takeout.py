"""Everything that is kept about a person."""

from typing import Any, Final

from sqlalchemy import Column, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.tables.choices import sync_configs, sync_filters
from evosync.db.tables.connections import evotor_connections, vk_connections
from evosync.db.tables.runs import sync_runs
from evosync.db.tables.site import audit, letters
from evosync.db.tables.till import cached_products, cached_stores
from evosync.db.tables.users import roles, user_roles, users
from evosync.domain.ids import UserId

_SECRET_COLUMNS: Final = frozenset(
    {"password_hash", "sealed", "key_id", "fingerprint", "api_sealed", "api_key_id", "api_fingerprint", "user_id"}
)


async def everything_about(connection: AsyncConnection, user: UserId) -> dict[str, Any]:
    """Rows that concern a person, without secrets; of the catalogs, which are the clouds', only how much there is."""
    found: dict[str, Any] = {}
    for name, table in (
        ("evotor_connection", evotor_connections),
        ("vk_connection", vk_connections),
        ("settings", sync_configs),
        ("choices", sync_filters),
        ("stores", cached_stores),
    ):
        found[name] = await _rows(connection, select(*_open(table)).where(table.c.user_id == user))
    account = await _rows(connection, select(*_open(users)).where(users.c.id == user))
    held = await connection.execute(
        select(roles.c.name).join(user_roles, user_roles.c.role_id == roles.c.id).where(user_roles.c.user_id == user)
    )
    products = await connection.scalar(
        select(func.count()).select_from(cached_products).where(cached_products.c.user_id == user)
    )
    return {
        "account": account[0] if account else None,
        "roles": [name for (name,) in held],
        **found,
        "products_at_the_till": products,
        "updates": await _rows(
            connection,
            select(*_open(sync_runs)).where(sync_runs.c.user_id == user).order_by(sync_runs.c.id.desc()).limit(1000),
        ),
        "letters": await _rows(
            connection,
            select(letters.c.kind, letters.c.channel, letters.c.address, letters.c.created_at, letters.c.sent_at)
            .where(letters.c.user_id == user)
            .order_by(letters.c.id),
        ),
        "audit": await _rows(
            connection,
            select(audit.c.at, audit.c.action, audit.c.address, audit.c.details)
            .where(audit.c.user_id == user)
            .order_by(audit.c.id),
        ),
    }


def _open(table: Table) -> list[Column[Any]]:
    return [column for column in table.c if column.name not in _SECRET_COLUMNS]


async def _rows(connection: AsyncConnection, query: Any) -> list[dict[str, Any]]:
    rows = (await connection.execute(query)).mappings()
    return [{str(name): value for name, value in row.items()} for row in rows]
