"""What pages show of an owner's connections, which is never a token; and the stored token, for a test."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.db.connections import about_evotor, about_vk, unseal
from evosync.db.mirrors import reading_of
from evosync.db.tables import cached_stores, evotor_connections, mirrors, sync_configs, users, vk_connections
from evosync.domain.connection import Health, Token
from evosync.domain.errors import Side
from evosync.domain.ids import CommunityId, StoreId, UserId
from evosync.domain.mirror import StoreReading
from evosync.security.seal import Sealed, Sealer

_e = evotor_connections.c
_v = vk_connections.c
_m = mirrors.c


@dataclass(frozen=True, slots=True)
class KeySeen:
    """`last4` is empty for a short token. `reason` is the code of what broke it, at `reason_at`."""

    last4: str
    health: Health
    reason: str
    reason_at: datetime | None
    connected_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShopSeen:
    """The community of a VK connection. `expires_at` None: the key does not end."""

    community: CommunityId
    name: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Connected:
    """Both connections as far as there are any, and how far the owner has come with them."""

    till: KeySeen | None = None
    vk: KeySeen | None = None
    shop: ShopSeen | None = None
    stores: tuple[str, ...] = ()
    readings: Mapping[StoreId, StoreReading] = field(default_factory=dict)
    shop_read_at: datetime | None = None
    started_at: datetime | None = None
    is_reading: bool = False
    """A run is going on or waits for its turn."""

    @property
    def community(self) -> CommunityId | None:
        return self.shop.community if self.shop is not None else None


async def connected(connection: AsyncConnection, user: UserId) -> Connected:
    query = (
        select(
            _e.sealed.is_not(None), _e.last4, _e.health, _e.reason, _e.reason_at, _e.connected_at,
            _v.sealed.is_not(None), _v.last4, _v.health, _v.reason, _v.reason_at, _v.connected_at,
            _v.group_id, _v.community_name, _v.expires_at,
            _m.readings, _m.shop_read_at, _m.run_id, _m.wanted_at,
            sync_configs.c.started_at,
        )
        .select_from(
            users.outerjoin(evotor_connections, _e.user_id == users.c.id)
            .outerjoin(vk_connections, _v.user_id == users.c.id)
            .outerjoin(mirrors, _m.user_id == users.c.id)
            .outerjoin(sync_configs, sync_configs.c.user_id == users.c.id)
        )
        .where(users.c.id == user)
    )  # fmt: skip
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return Connected()
    s = cached_stores.c
    stores = await connection.execute(select(s.name).where(s.user_id == user).order_by(s.position, s.store_id))
    has_till, *till = row[:6]
    has_vk, *vk = row[6:12]
    return Connected(
        till=_key(till) if has_till else None,
        vk=_key(vk) if has_vk else None,
        shop=ShopSeen(*row[12:15]) if has_vk else None,
        stores=tuple(stores.scalars()),
        readings={StoreId(store): reading_of(value) for store, value in (row[15] or {}).items()},
        shop_read_at=row[16],
        started_at=row[19],
        is_reading=row[17] is not None or row[18] is not None,
    )


def _key(values: list[object]) -> KeySeen:
    last4, health, reason, reason_at, connected_at = values
    return KeySeen(
        str(last4),
        Health(str(health)),
        str(reason),
        reason_at if isinstance(reason_at, datetime) else None,
        connected_at if isinstance(connected_at, datetime) else None,
    )


@dataclass(frozen=True, slots=True)
class Stored:
    """`token` None: it does not open any more. `community` goes with VK's."""

    token: Token | None
    community: CommunityId | None = None


async def stored(connection: AsyncConnection, user: UserId, side: Side, sealer: Sealer) -> Stored | None:
    """None if that side is not connected."""
    group = null() if side is Side.EVOTOR else _v.group_id
    c = _e if side is Side.EVOTOR else _v
    about = about_evotor(user) if side is Side.EVOTOR else about_vk(user)
    row = (await connection.execute(select(c.key_id, c.sealed, group).where(c.user_id == user))).one_or_none()
    if row is None or row[1] is None:
        return None
    community = CommunityId(row[2]) if row[2] is not None else None
    return Stored(unseal(sealer, Sealed(row[0], row[1]), about=about), community)
