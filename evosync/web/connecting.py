"""The tests of the connection pages over the real clients of both clouds."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from evosync.domain.catalog import ShopTrouble
from evosync.domain.connection import Token
from evosync.domain.errors import CloudError, NotFound, Refused, Rejected, Side, Unavailable
from evosync.domain.ids import CommunityId
from evosync.evotor.client import Account
from evosync.security.seal import Sealer
from evosync.vk.connect import Checked, Step, check_connection, community_named
from evosync.vk.sides import VkSides
from evosync.web.services import Check, ShopFound, TillFound

PATIENCE: Final = 25.0
"""Seconds that somebody waits before a page; a run would try for longer."""

_CHECKS: Final[Mapping[Step, Check]] = {
    Step.TOKEN: Check.KEY,
    Step.RIGHTS: Check.RIGHTS,
    Step.COMMUNITY: Check.COMMUNITY,
    Step.CATALOG: Check.READING,
    Step.WRITING: Check.WRITING,
}
_CODES: Final[Mapping[str, str]] = {
    "no_user": "VK 27",
    "scopes": "rights",
    ShopTrouble.NO_RIGHTS.value: "VK 7",
    ShopTrouble.SHOP_OFF.value: "VK 1438",
}
"""What the test itself found, as the code of a card; other findings are codes of cards already."""


class OpenTill(Protocol):
    """A till that can be asked whose it is."""

    async def verify(self) -> Account: ...


class TillCheck:
    """`TillTester`; `open_till` is `Clients.till_for`."""

    def __init__(self, open_till: Callable[[Token], OpenTill], sealer: Sealer, *, patience: float = PATIENCE) -> None:
        self._open_till = open_till
        self._sealer = sealer
        self._patience = patience

    async def __call__(self, token: str, /) -> TillFound:
        till = self._open_till(Token(token, self._sealer.fingerprint(token)))
        try:
            async with asyncio.timeout(self._patience):
                account = await till.verify()
        except TimeoutError:
            raise Unavailable(Side.EVOTOR, "Evotor time-out") from None
        if not account.stores:
            raise NotFound(Side.EVOTOR, "Evotor 404", "no stores")
        return TillFound(tuple(store.name for store in account.stores), till_user=account.till_user)


class ShopCheck:
    """`ShopTester`; `sides` is `Clients.vk`."""

    def __init__(self, sides: VkSides, sealer: Sealer, *, patience: float = PATIENCE) -> None:
        self._sides = sides
        self._sealer = sealer
        self._patience = patience

    async def __call__(self, token: str, community: CommunityId | str, /) -> ShopFound:
        try:
            async with asyncio.timeout(self._patience):
                return await self._check(Token(token, self._sealer.fingerprint(token)), community)
        except TimeoutError:
            return ShopFound((), Unavailable(Side.VK, "VK time-out"))

    async def _check(self, token: Token, community: CommunityId | str) -> ShopFound:
        if not isinstance(community, str):
            return found_of(await check_connection(self._sides, token, community), community)
        try:
            number = await community_named(self._sides, token, community)
        except Rejected as error:
            return ShopFound((), error)
        except CloudError as error:
            # VK answers an unknown name as it does any odd parameter.
            return ShopFound((), _nowhere() if error.code == "VK 100" else error)
        if number is None:
            return ShopFound((), _nowhere())
        return found_of(await check_connection(self._sides, token, number), number)


def _nowhere() -> CloudError:
    return Refused(Side.VK, "no_community")


def found_of(checked: Sequence[Checked], community: CommunityId) -> ShopFound:
    """How far the test came, up to the first step that is not good."""
    passed: list[Check] = []
    error: CloudError | None = None
    for step in checked:
        if not step.ok:
            error = _error_of(step)
            break
        passed.append(_CHECKS[step.step])
    values = {step.step: step.values for step in checked}
    person = values.get(Step.TOKEN, {}).get("person", "")
    shop, catalog = values.get(Step.COMMUNITY, {}), values.get(Step.CATALOG, {})
    return ShopFound(
        tuple(passed),
        error,
        {
            "name": values.get(Step.TOKEN, {}).get("name", ""),
            "community": shop.get("name", ""),
            "currency": shop.get("currency", ""),
            "items": catalog.get("items", ""),
            "albums": catalog.get("albums", ""),
            "scope": values.get(Step.RIGHTS, {}).get("missing", ""),
        },
        int(person) if person.isdecimal() else None,
        community,
    )


def _error_of(step: Checked) -> CloudError:
    if step.error is not None:
        is_unknown = step.step is Step.COMMUNITY and step.error.code == "VK 100"
        return _nowhere() if is_unknown else step.error
    return Refused(Side.VK, _CODES.get(step.code, step.code))


__all__ = ["PATIENCE", "OpenTill", "ShopCheck", "TillCheck", "found_of"]
