"""Pages that only show when something has happened: each visit makes it happen first."""

from collections.abc import Callable, Iterator
from typing import Final

from playwright.sync_api import Page, Response

from evosync.sandbox.seed import DEMO_STORE
from tests.browser.demo import Demo, waited
from tests.browser.walk import NEWCOMER, Go, Visit

TOO_MANY: Final = 429
_TOKEN: Final = "demo-vk-token"


def states(demo: Demo) -> Iterator[Visit]:
    """An owner who pauses, looks at what would change, and whose key breaks; in the end all is well again."""

    def after(does: Callable[[Page], None]) -> Go:
        def go(page: Page, path: str) -> Response | None:
            does(page)
            return page.goto(path)

        return go

    def pause(page: Page) -> None:
        _send(page, "/sync/pause")

    def change(_page: Page) -> None:
        new = {"name": "Рогалик с маком", "price": 64, "quantity": 9, "measure_name": "шт", "type": "NORMAL"}
        demo.told(f"till/01-000000000000042/{DEMO_STORE}", {"add_percent": -3, "put": {"roll": new}})

    def revoke(page: Page) -> None:
        demo.told("tokens", {"token": _TOKEN, "revoked": True})
        _send(page, "/sync/resume")
        waited(lambda: demo.ask("SELECT count(*) FROM vk_connections WHERE health = 'broken'") != "0")

    def mend(page: Page) -> None:
        demo.told("tokens", {"token": _TOKEN, "revoked": False})
        page.goto("/connections")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        page.fill("#shop-token", _TOKEN)
        with page.expect_navigation():
            page.press("#shop-token", "Enter")

    yield Visit("owner", "/sync", 200, after(pause), "paused")
    yield Visit("owner", "/sync/preview?fresh=1", 200, after(change), "changed")
    yield Visit("owner", "/sync/preview?show=add", state="new")
    yield Visit("owner", "/sync", 200, after(revoke), "broken")
    yield Visit("owner", "/connections", state="broken")
    yield Visit("owner", "/sync/problems", state="broken")
    yield Visit("owner", "/connections", 200, after(mend), "mended")


def _send(page: Page, path: str) -> None:
    """From a page that does not move on by itself."""
    page.goto("/profile")
    page.request.post(path, form={"csrf_token": page.locator("[name=csrf_token]").first.input_value()})


def broken(demo: Demo) -> Iterator[Visit]:
    """Pages for when something is wrong, each with what goes wrong for it; after the last all is right again."""
    run = demo.ask("SELECT max(id) FROM sync_runs WHERE outcome = 'ok'")

    outcome, status = "UPDATE sync_runs SET outcome = ? WHERE id = ?", "UPDATE users SET status = ? WHERE email = ?"

    def after(statement: str, *values: object) -> Go:
        def go(page: Page, path: str) -> Response | None:
            demo.tell(statement, *values)
            return page.goto(path)

        return go

    yield Visit("nobody", "/login", 422, _press_enter)
    yield Visit("nobody", "/register", 422, _press_enter)
    yield Visit("owner", "/profile/change-password", 422, _press_enter)
    yield Visit("nobody", "/forgot-password", 429, _ask_too_often)
    yield Visit("owner", f"/sync/runs/{run}", 500, after(outcome, "odd", run))
    yield Visit("admin", "/admin/audit", 503, after("ALTER TABLE audit RENAME TO elsewhere"))
    if demo.ask("SELECT count(*) FROM sqlite_master WHERE name = 'elsewhere'") == "1":  # this page may be left out
        demo.tell("ALTER TABLE elsewhere RENAME TO audit")
    demo.tell(outcome, "ok", run)
    yield Visit("newcomer", "/profile", 403, after(status, "suspended", NEWCOMER))
    demo.tell(status, "active", NEWCOMER)


def _press_enter(page: Page, path: str) -> Response | None:
    """In the form's first field, which is empty."""
    page.goto(path)
    with page.expect_navigation() as answer:
        page.press("main form input:not([type=hidden]) >> nth=0", "Enter")
    return answer.value


def _ask_too_often(page: Page, path: str) -> Response | None:
    for _ in range(20):
        page.goto(path)
        page.fill("[name=email]", "often@example.com")
        with page.expect_navigation() as answer:
            page.press("[name=email]", "Enter")
        if answer.value.status == TOO_MANY:
            return answer.value
    return None
