"""The owner's settings: kept within bounds, and said before they are saved."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from jinja2 import FileSystemBytecodeCache
from pytest_aiohttp.plugin import AiohttpClient

from evosync.db import rules
from evosync.db.rules import Rules
from evosync.db.tills import save
from evosync.domain.catalog import Store
from evosync.domain.errors import CloudError, Side, Unavailable
from evosync.domain.ids import StoreId, UserId
from evosync.domain.mirror import TillChanges
from evosync.domain.policy import Gone, StockMode
from evosync.domain.status import Standing
from evosync.vk.wire import Category
from evosync.web.app import make_site
from evosync.web.services import Services
from tests.web.browser import Browser, World
from tests.web.mirrored import STORE, Owner, make_owner, plain

AS_IT_IS = {
    "part": "rules",
    "interval": "",
    "weight": "10",
    "stock": "constant",
    "gone": "hide",
    "switched_off": "leave",
}


@dataclass(slots=True)
class Tree:
    """VK's categories, or its error."""

    error: CloudError | None = None
    asked: list[UserId] = field(default_factory=list)

    async def __call__(self, user: UserId, /) -> Sequence[Category]:
        self.asked.append(user)
        if self.error is not None:
            raise self.error
        return (Category(1, ("Еда", "Чай и кофе")), Category(2, ("Чай", "Посуда")), Category(3, ("Еда", "Сыр")))


@pytest.fixture
def tree() -> Tree:
    return Tree()


@pytest.fixture
async def browser(
    services: Services, tree: Tree, aiohttp_client: AiohttpClient, compiled_templates: FileSystemBytecodeCache
) -> Browser:
    app = make_site(replace(services, categories=tree), template_cache=compiled_templates)
    return Browser(await aiohttp_client(app))


@pytest.fixture
async def owner(browser: Browser, world: World, services: Services) -> Owner:
    made = await make_owner(world, services.sealer)
    await made.connect()
    await made.fill({1: Standing.IN_STEP, 2: Standing.OFF_GROUP})
    await made.start()
    await made.forget_wish()
    await browser.sign_in("owner@example.com")
    return made


async def kept(owner: Owner) -> Rules:
    return await owner.world.database.read(lambda connection: rules.load(connection, owner.user))


async def test_a_change_is_said_first_and_saved_the_second_time(browser: Browser, owner: Owner) -> None:
    wanted = {**AS_IT_IS, "stock": "till", "switched_off": "hide", "kinds": "beer", "interval": "900"}
    page = await browser.post("/sync/settings", wanted)
    assert plain(page.h1) == "Что сделает изменение"
    text = plain(page.text)
    assert "раз в 15 минут" in text
    assert "станут как на кассе" in text
    assert "выключенных товаров" in text
    assert "Пиво: на витрину" in text
    assert await kept(owner) == Rules()
    assert await owner.wish() is None
    for _ in range(2):
        assert (await browser.post("/sync/settings", {**wanted, "sure": "1"})).location == "/sync/settings"
    assert await kept(owner) == Rules(
        interval=900, stock=StockMode.TILL, switched_off=Gone.HIDE, kinds=frozenset({"beer"})
    )
    wish = await owner.wish()
    assert wish is not None
    assert wish.reasons == ("settings",)
    again = await browser.get("/sync/settings")
    assert '<option selected value="900">' in again.text


async def test_what_stays_as_it_is_asks_nothing_and_stays_the_operators(browser: Browser, owner: Owner) -> None:
    assert (await browser.post("/sync/settings", AS_IT_IS)).location == "/sync/settings"
    assert await kept(owner) == Rules()
    assert await owner.wish() is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("interval", "30"),
        ("interval", "999999"),
        ("interval", "x"),
        ("weight", "0"),
        ("weight", "-5"),
        ("weight", "1.5"),
        ("weight", "10001"),
        ("weight", ""),
        ("stock", "nonsense"),
        ("gone", "delete"),
        ("switched_off", ""),
        ("kinds", "weapons"),
    ],
)
async def test_nonsense_is_refused_beside_its_field(browser: Browser, owner: Owner, name: str, value: str) -> None:
    page = await browser.post("/sync/settings", {**AS_IT_IS, name: value, "sure": "1"})
    assert page.status == 422
    assert page.errors
    assert await kept(owner) == Rules()


async def test_the_interval_cannot_be_shorter_than_the_operator_allows(browser: Browser, owner: Owner) -> None:
    page = await browser.get("/sync/settings")
    assert '<option value="60">' in page.text
    assert '<option value="30">' not in page.text


async def test_stores_are_ranked_by_their_owner(browser: Browser, owner: Owner) -> None:
    second = StoreId("store-2")
    await owner.world.database.write(
        lambda connection: save(
            connection, owner.user, TillChanges(stores=(Store(second, "Ларёк"),)), at=owner.world.clock.now
        )
    )
    moved = {"part": "order", "place-0": "2", "place-1": "2"}
    assert "сначала у «Ларёк»" in plain((await browser.post("/sync/settings", moved)).text)
    await browser.post("/sync/settings", {**moved, "sure": "1"})
    assert (await kept(owner)).order == (second, STORE)
    for place in ("0", "3", "x", ""):
        assert (await browser.post("/sync/settings", {"part": "order", "place-0": place})).status == 400


async def test_a_category_is_found_by_its_words_and_chosen(browser: Browser, owner: Owner) -> None:
    page = await browser.get("/sync/settings?category=ЧАЙ")
    assert page.text.index("Еда › Чай и кофе") < page.text.index("Чай › Посуда")
    assert "Сыр" not in page.text
    for _ in range(2):
        assert (await browser.post("/sync/settings", {"part": "category", "category": "1"})).status == 303
    assert (await kept(owner)).category == 1
    assert "<b>Еда › Чай и кофе</b>" in (await browser.get("/sync/settings")).text
    await browser.post("/sync/settings", {"part": "category", "category": ""})
    assert (await kept(owner)).category is None


@pytest.mark.parametrize("category", ["99", "x", "-1", "1" * 40])
async def test_a_category_that_vk_does_not_have_is_refused(browser: Browser, owner: Owner, category: str) -> None:
    reply = await browser.post("/sync/settings", {"part": "category", "category": category})
    assert reply.status == 400
    assert (await kept(owner)).category is None


async def test_the_page_stands_without_vk(browser: Browser, owner: Owner, tree: Tree) -> None:
    tree.error = Unavailable(Side.VK, "VK HTTP 502")
    assert "ВКонтакте сейчас не отвечает" in plain((await browser.get("/sync/settings?category=чай")).text)
    await browser.post("/sync/settings", {"part": "category", "category": "1"})
    assert (await kept(owner)).category is None


async def test_settings_are_ones_own(browser: Browser, owner: Owner) -> None:
    other = await make_owner(owner.world, owner.sealer, "other@example.com")
    await browser.post("/sync/settings", {**AS_IT_IS, "stock": "till", "sure": "1"})
    assert await kept(other) == Rules()
