"""The connection test (VK FACTS 9), and what else is asked of VK outside a run."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from evosync.domain.catalog import Community
from evosync.domain.connection import Token
from evosync.domain.errors import CloudError
from evosync.domain.ids import CommunityId
from evosync.sync.ports import Priority
from evosync.vk import wire
from evosync.vk.client import COMMUNITY_FIELDS
from evosync.vk.dispatcher import Dispatcher
from evosync.vk.script import Params
from evosync.vk.sides import VkSides
from evosync.vk.waiting import Call

T = TypeVar("T")

SCOPES: Mapping[str, int] = {"market": 1 << 27, "photos": 1 << 2, "groups": 1 << 18}


class Step(StrEnum):
    """What the test looks at, in this order."""

    TOKEN = "token"  # noqa: S105 - no secret
    RIGHTS = "rights"
    COMMUNITY = "community"
    CATALOG = "catalog"
    WRITING = "writing"


@dataclass(frozen=True, slots=True)
class Checked:
    """One step's outcome. `code` is VK's (`VK 5`) or what was found (`no_user`, `scopes`, a `ShopTrouble`).

    `values`, as text: `name` of the person or community, `person` (id), `missing` (scopes, comma-separated),
    `items`, `albums`, `currency`. `error` is the error that VK answered with, if it did.
    """

    step: Step
    ok: bool
    code: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    error: CloudError | None = None


async def check_connection(sides: VkSides, token: Token, community: CommunityId) -> tuple[Checked, ...]:
    """Ask VK all that a mirror needs, without changing anything; normally one request. Never raises `CloudError`."""
    async with sides.dispatcher(token) as dispatcher:
        return tuple(
            await asyncio.gather(
                _token(dispatcher),
                _rights(dispatcher),
                _community(dispatcher, community),
                _catalog(dispatcher, community),
                _writing(dispatcher, community),
            )
        )


async def categories(sides: VkSides, token: Token, community: CommunityId) -> tuple[wire.Category, ...]:
    """Leaves of VK's category tree. Raises as `ShopSide` does."""
    async with sides.dispatcher(token) as dispatcher:
        return await _ask(dispatcher, "market.getCategories", {"group_id": community}, wire.read_categories)


async def communities(sides: VkSides, token: Token) -> tuple[Community, ...]:
    """The communities that the person may edit, with what is in the way of each. Raises as `ShopSide` does."""
    params: Params = {"filter": "editor", "extended": 1, "count": 200, "fields": COMMUNITY_FIELDS}
    async with sides.dispatcher(token) as dispatcher:
        return await _ask(dispatcher, "groups.get", params, wire.read_communities)


async def community_named(sides: VkSides, token: Token, name: str) -> CommunityId | None:
    """The number behind the short name of a community's page. Raises as `ShopSide` does."""
    async with sides.dispatcher(token) as dispatcher:
        found = await _ask(dispatcher, "groups.getById", {"group_id": name}, wire.read_communities)
    return found[0].id if found else None


async def _token(dispatcher: Dispatcher) -> Checked:
    try:
        person = await _ask(dispatcher, "users.get", {}, _person)
    except CloudError as error:
        return _failed(Step.TOKEN, error)
    return Checked(Step.TOKEN, bool(person), "" if person else "no_user", person)


async def _rights(dispatcher: Dispatcher) -> Checked:
    try:
        mask = await _ask(dispatcher, "account.getAppPermissions", {}, int)
    except CloudError as error:
        return _failed(Step.RIGHTS, error)
    missing = [name for name, bit in SCOPES.items() if not mask & bit]
    return Checked(Step.RIGHTS, not missing, "scopes" if missing else "", {"missing": ",".join(missing)})


async def _community(dispatcher: Dispatcher, community: CommunityId) -> Checked:
    params: Params = {"group_id": community, "fields": COMMUNITY_FIELDS}
    try:
        found = await _ask(dispatcher, "groups.getById", params, lambda value: wire.read_community(value, community))
    except CloudError as error:
        return _failed(Step.COMMUNITY, error)
    if found is None:
        return Checked(Step.COMMUNITY, ok=False, code="no_community")
    values = {"name": found.name, "currency": found.currency_name or str(found.currency or "")}
    return Checked(Step.COMMUNITY, found.trouble is None, found.trouble or "", values)


async def _catalog(dispatcher: Dispatcher, community: CommunityId) -> Checked:
    owner: Params = {"owner_id": -community, "count": 1}
    try:
        items, albums = await asyncio.gather(
            _ask(dispatcher, "market.get", {**owner, "with_disabled": 1}, _count),
            _ask(dispatcher, "market.getAlbums", owner, _count),
        )
    except CloudError as error:
        return _failed(Step.CATALOG, error)
    return Checked(Step.CATALOG, ok=True, values={"items": str(items), "albums": str(albums)})


async def _writing(dispatcher: Dispatcher, community: CommunityId) -> Checked:
    try:
        address = await _ask(
            dispatcher,
            "market.getProductPhotoUploadServer",
            {"group_id": community, "bulk": 0},
            lambda value: str(value["upload_url"]),
        )
    except CloudError as error:
        return _failed(Step.WRITING, error)
    return Checked(Step.WRITING, bool(address))


async def _ask(dispatcher: Dispatcher, method: str, params: Params, read: Callable[[Any], T]) -> T:
    return await dispatcher.submit(Call(method, params, lambda value, _: read(value), Priority.TEST))


def _failed(step: Step, error: CloudError) -> Checked:
    return Checked(step, ok=False, code=error.code, error=error)


def _person(value: Any) -> Mapping[str, str]:
    """Empty for a community's key: it belongs to nobody."""
    person = next((raw for raw in value if isinstance(raw, dict) and raw.get("id")), None)
    if person is None:
        return {}
    names = (str(person.get(key) or "") for key in ("first_name", "last_name"))
    return {"person": str(person["id"]), "name": " ".join(filter(None, names))}


def _count(value: Any) -> int:
    return int(value["count"])
