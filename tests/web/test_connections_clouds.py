"""The tests of the connection pages, over fakes of the clouds' clients."""

import asyncio
from collections.abc import Sequence

import pytest

from evosync.domain.catalog import ShopTrouble, Store
from evosync.domain.connection import Token
from evosync.domain.errors import CloudError, NotFound, Rejected, Side, Unavailable
from evosync.domain.ids import CommunityId, StoreId
from evosync.evotor.client import Account
from evosync.security.seal import Sealer
from evosync.vk.connect import Checked, Step
from evosync.web.connecting import TillCheck, found_of
from evosync.web.services import Check, TillFound

SEALER = Sealer(["a key that is long enough for tests"])
GOOD = (
    Checked(Step.TOKEN, ok=True, values={"name": "Анна Лавкина", "person": "7"}),
    Checked(Step.RIGHTS, ok=True, values={"missing": ""}),
    Checked(Step.COMMUNITY, ok=True, values={"name": "Лавка", "currency": "российский рубль"}),
    Checked(Step.CATALOG, ok=True, values={"items": "21", "albums": "2"}),
    Checked(Step.WRITING, ok=True),
)


class Till:
    """Answers once; `answer` None: never."""

    def __init__(self, answer: Account | CloudError | None) -> None:
        self._answer = answer

    async def verify(self) -> Account:
        if self._answer is None:
            await asyncio.Event().wait()
        if isinstance(self._answer, CloudError):
            raise self._answer
        assert self._answer is not None
        return self._answer


def check(answer: Account | CloudError | None, patience: float = 5.0) -> TillCheck:
    def opened(token: Token) -> Till:
        assert token.fingerprint == SEALER.fingerprint("secret")
        return Till(answer)

    return TillCheck(opened, SEALER, patience=patience)


async def test_a_till_tells_its_stores_and_whose_it_is() -> None:
    found = await check(Account((Store(StoreId("s1"), "Лавка"),), "01-7"))("secret")
    assert found == TillFound(("Лавка",), "01-7")


async def test_a_refusal_comes_through_as_it_is() -> None:
    with pytest.raises(Rejected):
        await check(Rejected(Side.EVOTOR, "Evotor 401"))("secret")


async def test_an_account_without_stores_is_of_no_use() -> None:
    with pytest.raises(NotFound):
        await check(Account((), ""))("secret")


async def test_nobody_waits_before_a_page_for_ever() -> None:
    with pytest.raises(Unavailable) as caught:
        await check(None, patience=0.01)("secret")
    assert caught.value.code == "Evotor time-out"


def spoilt(place: int, step: Checked) -> Sequence[Checked]:
    return (*GOOD[:place], step, *GOOD[place + 1 :])


def test_a_good_test_has_all_five_steps_and_what_they_found() -> None:
    found = found_of(GOOD, CommunityId(123))
    assert found.passed == tuple(Check)
    assert (found.error, found.vk_user_id, found.community) == (None, 7, 123)
    assert (found.values["name"], found.values["community"], found.values["items"]) == ("Анна Лавкина", "Лавка", "21")


@pytest.mark.parametrize(
    ("place", "step", "code"),
    [
        (0, Checked(Step.TOKEN, ok=False, code="no_user"), "VK 27"),
        (0, Checked(Step.TOKEN, ok=False, code="VK 5", error=Rejected(Side.VK, "VK 5")), "VK 5"),
        (1, Checked(Step.RIGHTS, ok=False, code="scopes", values={"missing": "market"}), "rights"),
        (2, Checked(Step.COMMUNITY, ok=False, code="no_community"), "no_community"),
        (2, Checked(Step.COMMUNITY, ok=False, code=ShopTrouble.NO_RIGHTS), "VK 7"),
        (2, Checked(Step.COMMUNITY, ok=False, code=ShopTrouble.SHOP_OFF), "VK 1438"),
        (2, Checked(Step.COMMUNITY, ok=False, code=ShopTrouble.CURRENCY), "currency"),
        (2, Checked(Step.COMMUNITY, ok=False, code=ShopTrouble.DEACTIVATED), "deactivated"),
    ],
)
def test_what_a_step_found_becomes_the_code_of_a_card(place: int, step: Checked, code: str) -> None:
    found = found_of(spoilt(place, step), CommunityId(123))
    assert found.passed == tuple(Check)[:place]
    assert found.error is not None
    assert found.error.code == code
