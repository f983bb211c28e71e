"""What a guard found stands in its card, and a look at what will change is no update."""

import orjson
import pytest

from evosync.domain.mirror import Outcome
from evosync.domain.status import Standing
from evosync.web.services import Services
from tests.web.browser import Browser, World
from tests.web.mirrored import Owner, make_owner, plain


@pytest.fixture
async def shop(browser: Browser, world: World, services: Services) -> Owner:
    made = await make_owner(world, services.sealer)
    await browser.sign_in("owner@example.com")
    await made.connect()
    await made.fill({1: Standing.IN_STEP})
    await made.start()
    return made


@pytest.mark.parametrize("path", ["/sync", "/sync/problems", "/connections", "/sync/runs/{run}"])
@pytest.mark.parametrize(
    ("code", "finding", "said"),
    [
        ("prices", "prices 19990 1999000", "Записали 199,90 ₽, VK показывает 19 990 ₽."),
        ("currency", "currency 643 840 доллары США", "Витрина считает в доллары США, касса в рублях."),
        ("currency", "currency 643 840", "Витрина считает в 840, касса в рублях."),
    ],
)
async def test_a_guards_card_says_what_it_found(
    browser: Browser, shop: Owner, path: str, code: str, finding: str, said: str
) -> None:
    run = await shop.ran(outcome=Outcome.HELD, code=code, notes={"guard": (finding,)})
    await shop.breaks("vk", code)
    await shop.ran(outcome=Outcome.READ_ONLY)
    assert said in plain((await browser.get(path.format(run=run))).text)


@pytest.mark.parametrize("path", ["/sync", "/sync/problems"])
async def test_a_guard_that_left_no_word_breaks_no_page(browser: Browser, shop: Owner, path: str) -> None:
    await shop.ran(outcome=Outcome.HELD, code="prices", notes={"guard": ("prices x y",)})
    await shop.breaks("vk", "prices")
    assert "Записали —, VK показывает —." in plain((await browser.get(path)).text)


async def test_a_look_at_what_will_change_is_neither_the_last_update_nor_one_of_the_list(
    browser: Browser, shop: Owner
) -> None:
    run = await shop.ran(updated=2)

    await shop.ran(outcome=Outcome.READ_ONLY, reasons=("preview",), dry=True)
    status = orjson.loads((await browser.get("/sync/status")).text)
    assert status["last_run"]["id"] == run
    listed = plain((await browser.get("/sync/runs")).text)
    assert "1 обновление" in listed
    assert "вы посмотрели" not in listed
