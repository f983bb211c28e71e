"""The keyboard alone is enough: from signing in to the first start, with Tab, Enter and Space."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import chromium
from tests.browser.looking import reader
from tests.browser.walk import LARGE
from tests.journeys.service import Service, serving
from tests.services import MariaDB, RedisServer

OWNER, PASSWORD = "marina@example.com", "saffron buns at dawn"

_IS_MARKED = """() => {
  const at = document.activeElement, look = getComputedStyle(at)
  return at === document.body || (at.matches(':focus-visible') && look.outlineStyle !== 'none' && at.checkVisibility())
}"""
_IN_VIEW = """element => {
  const box = element.getBoundingClientRect()
  return box.top >= 0 && box.bottom <= innerHeight && box.width > 0
}"""


def reach(page: Page, wanted: Locator) -> None:
    """With Tab; whatever it stops at on the way shows that it does."""
    expect(wanted).to_be_visible()
    for _ in range(120):
        page.keyboard.press("Tab")
        assert page.evaluate(_IS_MARKED), (
            f"nobody sees where he is: {page.evaluate('document.activeElement.outerHTML')}"
        )
        if wanted.evaluate("element => element === document.activeElement"):
            assert wanted.evaluate(_IN_VIEW), "the focus is out of sight"
            return
    raise AssertionError("Tab does not get there")


def follow(page: Page, wanted: Locator, address: str) -> None:
    reach(page, wanted)
    page.keyboard.press("Enter")
    page.wait_for_url(address)


def lay_out(service: Service) -> None:
    """An owner with both sides connected, who has chosen nothing yet."""
    shop = service.shops[0]
    service.command("user", "create", OWNER, "--role", "user", "--password-stdin", told=PASSWORD)
    service.command("connect", OWNER, "evotor", told=str(shop["evotor_token"]))
    service.command("connect", OWNER, "vk", "--group-id", str(shop["group_id"]), told=str(shop["vk_token"]))
    service.command("sync", OWNER, "--dry-run")  # both are read: no page has to wait for it


@pytest.mark.timeout(240)
def test_signing_in_choosing_and_starting_need_no_mouse(
    mariadb: MariaDB, private_redis: RedisServer, tmp_path: Path
) -> None:
    shops = ("--owners", "1", "--products", "6")
    with (
        mariadb.database() as database,
        serving(tmp_path, database=database, redis=private_redis.url, shops=shops) as service,
    ):
        lay_out(service)
        with chromium() as browser, reader(browser, service.url, size=LARGE) as context:
            page = context.new_page()
            expect.set_options(timeout=20_000)
            page.goto("/login")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            assert page.evaluate("document.activeElement.id") == "main", (
                "the first stop leads past the head of the page"
            )
            reach(page, page.locator("[name=email]"))
            page.keyboard.type(OWNER)
            reach(page, page.locator("[name=password]"))
            page.keyboard.type(PASSWORD)
            page.keyboard.press("Enter")
            page.wait_for_url("**/profile**")
            follow(page, page.locator("nav a[href='/catalog/stores']"), "**/catalog/stores")
            switch = page.get_by_role("switch")
            reach(page, switch)
            page.keyboard.press("Space")
            expect(switch).to_have_attribute("aria-checked", "true")
            expect(switch).not_to_have_attribute("aria-busy", "true")
            follow(page, page.locator("main h3 a"), "**/groups")
            reach(page, page.locator("input[name=all][value='1'] ~ button"))
            page.keyboard.press("Enter")
            expect(page.locator("main [role=switch][aria-checked=false]")).to_have_count(0)
            follow(page, page.locator("main a.btn[href='/connections']"), "**/connections")
            follow(page, page.locator("main a[href='/sync/preview']"), "**/sync/preview")
            follow(page, page.locator("form[action='/sync/run'] button"), "**/sync")
            expect(page.locator(".sign.ok h1")).to_be_visible()
