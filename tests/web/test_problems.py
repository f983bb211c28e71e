"""The page of problems: causes, another try, and which listing is whose."""

import pytest

from evosync.domain.ids import CommunityId, ItemId, ProductId
from evosync.domain.links import LinkState
from evosync.domain.mirror import Scope
from evosync.domain.status import Standing, Status
from evosync.web.services import Services
from tests.web.browser import Browser, World
from tests.web.conftest import NewBrowser
from tests.web.mirrored import Owner, item, make_owner, plain

REFUSED = Status(Standing.REFUSED_FIELD, {"code": "VK 100", "field": "description"})


@pytest.fixture
async def owner(browser: Browser, world: World, services: Services) -> Owner:
    made = await make_owner(world, services.sealer)
    await made.connect()
    await made.start()
    await browser.sign_in("owner@example.com")
    return made


async def test_good_news_where_nothing_waits(browser: Browser, owner: Owner) -> None:
    await owner.fill({1: Standing.IN_STEP})
    assert (await browser.get("/sync/problems")).h1 == "Проблем нет"


async def test_products_are_gathered_by_cause_with_what_to_do(browser: Browser, owner: Owner) -> None:
    await owner.fill({1: Standing.ZERO_PRICE, 2: Standing.ZERO_PRICE, 3: REFUSED, 4: Standing.IN_STEP})
    page = await browser.get("/sync/problems")
    assert page.h1.replace("\u00a0", " ") == "3 товара ждут вас"
    text = plain(page.text)
    assert text.index("Цена на кассе — ноль") < text.index("VK не принял товар")
    assert "Не подошло поле «описание»." in text
    assert "Сыр Маасдам 1" in page.text
    assert "Сыр Маасдам 4" not in page.text


@pytest.mark.parametrize("standing", sorted(Standing))
async def test_every_standing_can_be_shown(browser: Browser, owner: Owner, standing: Standing) -> None:
    await owner.fill({1: standing})
    assert (await browser.get("/sync/problems")).status == 200


async def test_a_cause_of_many_products_has_a_page_of_its_own(browser: Browser, owner: Owner) -> None:
    await owner.fill(dict.fromkeys(range(60), Standing.ZERO_PRICE))
    page = await browser.get("/sync/problems")
    assert page.text.count("Сыр Маасдам") == 20
    link = page.text.partition('href="/sync/problems?cause=')[2].partition('"')[0]
    whole = await browser.get(f"/sync/problems?cause={link}")
    assert whole.text.count("Сыр Маасдам") == 50
    assert (await browser.get(f"/sync/problems?cause={link}&page=2")).text.count("Сыр Маасдам") == 10


@pytest.mark.parametrize("key", ["zero_price.ff", "nonsense", "in_step.", "zero_price.zz", "'"])
async def test_a_cause_that_is_gone_leads_back(browser: Browser, owner: Owner, key: str) -> None:
    assert (await browser.get(f"/sync/problems?cause={key}")).location == "/sync/problems"


async def test_another_try_forgets_what_vk_refused_and_what_was_deleted(browser: Browser, owner: Owner) -> None:
    await owner.fill({1: REFUSED, 2: Standing.REMOVED_IN_VK, 3: Standing.ZERO_PRICE})
    await owner.link(1, LinkState.LIVE, item=11, refusal="VK 100 description")
    await owner.link(2, LinkState.REMOVED, item=12)
    await owner.link(3, LinkState.LIVE, item=13, refusal="VK 100 name")
    await owner.forget_wish()
    for _ in range(2):
        assert (await browser.post("/sync/problems/retry")).location == "/sync/problems"
    links = await owner.links()
    first = links[ProductId("p1")]
    assert (first.refused, first.refusal, first.face) == (b"", "", b"")
    assert ProductId("p2") not in links
    assert links[ProductId("p3")].refusal == "VK 100 name"
    wish = await owner.wish()
    assert wish is not None
    assert (wish.scope, wish.reasons) == (Scope.FULL, ("retry",))


async def test_another_try_of_one_cause_leaves_the_others(browser: Browser, owner: Owner) -> None:
    await owner.fill({1: REFUSED, 2: Standing.REMOVED_IN_VK})
    await owner.link(1, LinkState.LIVE, item=11, refusal="VK 100 description")
    await owner.link(2, LinkState.REMOVED, item=12)
    await browser.post("/sync/problems/retry", {"cause": f"refused_field.{REFUSED.digest.hex()}"})
    links = await owner.links()
    assert links[ProductId("p1")].refusal == ""
    assert links[ProductId("p2")].state is LinkState.REMOVED


async def test_nonsense_for_a_cause_forgets_nothing(browser: Browser, owner: Owner) -> None:
    await owner.fill({2: Standing.REMOVED_IN_VK})
    await owner.link(2, LinkState.REMOVED, item=12)
    await browser.post("/sync/problems/retry", {"cause": "in_step.00"})
    assert ProductId("p2") in await owner.links()


async def test_another_owners_products_are_neither_shown_nor_touched(
    new_browser: NewBrowser, browser: Browser, owner: Owner
) -> None:
    await owner.fill({2: Standing.REMOVED_IN_VK})
    await owner.link(2, LinkState.REMOVED, item=12)
    other = await make_owner(owner.world, owner.sealer, "other@example.com")
    await other.connect(CommunityId(124))
    stranger = await new_browser()
    await stranger.sign_in("other@example.com")
    assert "Сыр" not in (await stranger.get("/sync/problems")).text
    await stranger.post("/sync/problems/retry")
    assert ProductId("p2") in await owner.links()


async def test_a_store_that_is_not_paid_and_a_broken_key_are_said_first(browser: Browser, owner: Owner) -> None:
    await owner.fill({1: Standing.ZERO_PRICE})
    await owner.breaks("evotor", "Evotor 401")
    text = plain((await browser.get("/sync/problems")).text)
    assert text.index("Эвотор не принял ключ") < text.index("Цена на кассе — ноль")


@pytest.fixture
async def twins(owner: Owner) -> Owner:
    """A product, and two listings of the owner's that bear its name; a third bears another."""
    await owner.fill({1: Standing.SAME_TITLE})
    await owner.lists(item(21, "Сыр Маасдам 1"), item(22, "Сыр Маасдам 1"), item(23, "Другой сыр"))
    await owner.forget_wish()
    return owner


async def test_the_owner_says_which_listing_is_the_products(browser: Browser, twins: Owner) -> None:
    assert 'href="/sync/problems/listing?product=p1"' in (await browser.get("/sync/problems")).text
    page = await browser.get("/sync/problems/listing?product=p1")
    assert page.text.count('name="item" value="2') == 2
    for _ in range(2):
        assert (await browser.post("/sync/problems/listing", {"product": "p1", "item": "22"})).status == 303
    link = (await twins.links())[ProductId("p1")]
    assert (link.item, link.keeps_text, link.state) == (ItemId(22), True, LinkState.LIVE)
    wish = await twins.wish()
    assert wish is not None
    assert wish.scope is Scope.FULL


async def test_or_that_it_is_none_of_them(browser: Browser, twins: Owner) -> None:
    await browser.post("/sync/problems/listing", {"product": "p1", "item": "new"})
    link = (await twins.links())[ProductId("p1")]
    assert (link.item, link.refused) == (None, b"")


@pytest.mark.parametrize(
    ("product", "listing", "status"),
    [("p1", "23", 404), ("p1", "999", 404), ("p2", "22", 404), ("p1", "x", 400), ("p1", "", 400), ("", "22", 404)],
)
async def test_a_listing_that_cannot_be_is_refused(
    browser: Browser, twins: Owner, product: str, listing: str, status: int
) -> None:
    reply = await browser.post("/sync/problems/listing", {"product": product, "item": listing})
    assert reply.status == status
    assert await twins.links() == {}


async def test_another_owners_question_is_not_there(new_browser: NewBrowser, twins: Owner) -> None:
    other = await make_owner(twins.world, twins.sealer, "other@example.com")
    await other.connect(CommunityId(124))
    stranger = await new_browser()
    await stranger.sign_in("other@example.com")
    assert (await stranger.get("/sync/problems/listing?product=p1")).status == 404
    assert (await stranger.post("/sync/problems/listing", {"product": "p1", "item": "22"})).status == 404
