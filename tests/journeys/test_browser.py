"""The whole way of an owner in a real browser, on the real service: from his account to the day an admin shuts it."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import chromium
from tests.browser.demo import waited
from tests.browser.looking import reader
from tests.browser.walk import LARGE, SMALL
from tests.journeys.service import Service, serving
from tests.services import MariaDB, RedisServer

OWNER, ADMIN, PASSWORD = "marina@example.com", "root@example.com", "saffron buns at dawn"

WORDS: Mapping[str, Mapping[str, str]] = {
    "ru": {
        "confirmed": "Почта подтверждена",
        "refused": "Эвотор не принял этот ключ",
        "works": "Всё в порядке",
        "shown": "16 групп из 18",
        "preview": "Что изменится на витрине",
        "running": "Обновляем витрину",
        "in step": "В ногу с кассой",
        "paused": "Пауза",
        "waits": "товар ждёт вас|товара ждут вас|товаров ждут вас",
        "suspended": "Аккаунт приостановлен",
    },
    "en": {
        "confirmed": "Address confirmed",
        "refused": "Evotor does not accept this key",
        "works": "All is well",
        "shown": "16 groups of 18",
        "preview": "What will change in VK",
        "running": "Updating the shop",
        "in step": "In step with the till",
        "paused": "Paused",
        "waits": "products? waits? for you",
        "suspended": "Account suspended",
    },
}


def words(text: str) -> re.Pattern[str]:
    """Typography puts no-break spaces between some of them."""
    return re.compile(text.replace(" ", r"\s"))


def sign_in(page: Page, email: str) -> None:
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")


def make_account(page: Page, service: Service, say: Mapping[str, str]) -> None:
    page.goto("/register")
    page.fill("[name=name]", "Марина")
    page.fill("[name=email]", OWNER)
    page.fill("[name=password]", PASSWORD)
    page.check("[name=consent]")
    page.locator("main button.main").click()
    page.goto(service.letters.link(OWNER))
    page.locator("main button.main").click()
    expect(page.locator(".toast")).to_contain_text(words(say["confirmed"]))
    sign_in(page, OWNER)
    page.wait_for_url("**/profile")


def connect(page: Page, service: Service, say: Mapping[str, str]) -> None:
    """The till's key is wrong at first."""
    shop = service.shops[0]
    page.goto("/connections")
    page.fill("#till-token", "no-such-key")
    page.press("#till-token", "Enter")
    card = page.locator(".case.you")
    expect(card).to_contain_text(words(say["refused"]))
    assert "no-such-key" not in page.content()
    page.fill("#till-token", str(shop["evotor_token"]))
    page.press("#till-token", "Enter")
    expect(card).to_have_count(0)
    page.fill("#shop-group", f"https://vk.com/club{shop['group_id']}")
    page.fill("#shop-token", str(shop["vk_token"]))
    page.press("#shop-token", "Enter")
    page.locator("form[action='/connections/vk/test'] button").click()
    expect(page.locator("#shop-result")).to_contain_text(words(say["works"]))


def flip(switch: Locator, *, on: bool) -> None:
    """It shows at once what it will be, and is busy until it is."""
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true" if on else "false")
    expect(switch).not_to_have_attribute("aria-busy", "true")


def choose(page: Page, service: Service, say: Mapping[str, str]) -> None:
    """The bakery, but for two of its groups."""
    expect(page.locator("a[href='/catalog/stores']").first).to_be_visible()
    page.goto("/catalog/stores")
    flip(page.locator("li", has_text="Речной").get_by_role("switch"), on=True)
    page.goto(f"/catalog/stores/{service.shops[0]['store_id']}/groups")
    page.locator("input[name=all][value='1'] ~ button").click()
    for name in ("Чай и какао", "Завтраки"):
        flip(page.get_by_role("switch", name=name, exact=True), on=False)
    page.goto("/catalog/stores")
    expect(page.locator("main")).to_contain_text(words(say["shown"]))


def start(page: Page, service: Service, say: Mapping[str, str]) -> None:
    """Look at the preview, start, and watch the bar move without the page being read anew."""
    page.goto("/sync/preview")
    expect(page.locator("h1")).to_contain_text(words(say["preview"]))
    page.locator("nav.chips a[href*='add']").click()
    expect(page.locator("main")).to_contain_text("Айран")
    # Slow enough for a slow machine to see it move; when it is over, the page is read anew.
    service.slow(vk_request=1.5)
    page.locator("form[action='/sync/run'] button").click()
    page.wait_for_url("**/sync")
    page.wait_for_function("() => document.querySelector('progress')?.value > 0")
    page.evaluate("window.mark = 'the same page'")
    first = _done(page)
    page.wait_for_function("first => document.querySelector('progress')?.value > first", arg=first)
    assert page.evaluate("window.mark") == "the same page"
    service.slow(vk_request=0)
    expect(page.locator(".sign.ok h1")).to_contain_text(words(say["in step"]), timeout=30_000)


def _done(page: Page) -> float:
    return float(page.locator("progress").evaluate("bar => bar.value", timeout=2_000))


def change_a_price(page: Page, service: Service) -> None:
    """At the till's page; VK's page and ours follow by themselves."""
    shop = service.shops[0]
    with page.context.expect_page() as opened:
        page.evaluate("address => window.open(address, '_blank', 'noopener')", f"{shop['till_url']}?q=Капучино")
    till = opened.value
    row = till.locator("li", has=till.locator("input[name=name][value='Капучино']"))
    row.locator("[name=price]").fill("777")
    row.locator("button[value=save]").click()
    till.wait_for_load_state()

    def follows(address: str, what: str) -> bool:
        till.goto(address)
        return what in re.sub(r"\s", " ", till.locator("body").inner_text())

    waited(lambda: follows(f"{shop['shop_url']}?q=Капучино", "777"))
    products = f"{service.url}/catalog/stores/{shop['store_id']}/products?q=капучино"
    waited(lambda: follows(products, "777"))
    till.close()


def pause_and_resume(page: Page, say: Mapping[str, str]) -> None:
    page.goto("/sync/problems")
    expect(page.locator("h1")).to_contain_text(words(say["waits"]))
    page.goto("/sync")
    page.locator("form[action='/sync/pause'] button").click()
    expect(page.locator(".sign.off")).to_contain_text(words(say["paused"]))
    page.locator("form[action='/sync/resume'] button").click()
    expect(page.locator(".sign.off")).to_have_count(0)


def suspend(page: Page) -> None:
    """The admin finds the owner and shuts his account."""
    page.goto("/login")
    sign_in(page, ADMIN)
    page.wait_for_url("**/profile")
    page.goto(f"/admin/users?q={OWNER}")
    page.locator("main a[href^='/admin/users/']", has_text="Марина").click()
    page.locator("[data-dialog=sus]").click()
    page.fill("#reason", "the shop is closed")
    page.locator("#sus button.risk").click()
    expect(page.locator("form[action$='/activate']")).to_be_visible()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("language", ["ru", "en"])
def test_an_owner_goes_the_whole_way_until_an_admin_shuts_his_account(
    mariadb: MariaDB, private_redis: RedisServer, tmp_path: Path, language: str
) -> None:
    say = WORDS[language]
    size = {"ru": SMALL, "en": LARGE}[language]
    expect.set_options(timeout=20_000)
    with mariadb.database() as database, serving(tmp_path, database=database, redis=private_redis.url) as service:
        service.command("user", "create", ADMIN, "--role", "admin", "--password-stdin", told=PASSWORD)
        with chromium() as browser, reader(browser, service.url, size=size, language=language) as mine:
            page = mine.new_page()
            page.set_default_timeout(20_000)
            make_account(page, service, say)
            connect(page, service, say)
            choose(page, service, say)
            start(page, service, say)
            change_a_price(page, service)
            pause_and_resume(page, say)
            with reader(browser, service.url, size=LARGE, language=language) as theirs:
                suspend(theirs.new_page())
            page.goto("/sync")
            page.wait_for_url("**/login?**")
            sign_in(page, OWNER)
            expect(page.locator("h1")).to_contain_text(words(say["suspended"]))
