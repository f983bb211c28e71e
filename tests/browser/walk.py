"""All pages of the access table with real things of the demo in their addresses, and who looks at each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from playwright.sync_api import Browser, BrowserContext, Page, Response, ViewportSize

from evosync.sandbox.seed import DEMO_STORE
from evosync.web.access import ACCESS, Level
from tests.browser.demo import ADMIN, OWNER, PASSWORD, Demo, waited

Go = Callable[[Page, str], Response | None]
Who = Literal["nobody", "newcomer", "owner", "admin"]
NEWCOMER: Final = "newcomer@example.com"
LETTERS: Final = {
    "/confirm-email": "unconfirmed@example.com",
    "/reset-password": OWNER,
    "/invite": "guest@example.com",
}
"""Whose newest letter has a link to the page."""
DOUBTED: Final = "kulich"
_PRODUCT: Final = {"name": "Кулич пасхальный", "price": 450, "quantity": 3, "measure_name": "шт", "type": "NORMAL"}

NO_PAGES: Final = frozenset(
    {
        *("GET /", "GET /admin", "GET /catalog", "GET /vk-catalog"),  # they lead to others
        *("GET /docs", "GET /docs/{name}", "GET /redoc"),  # pages of Swagger UI and ReDoc, not ours
        "GET /profile/data",  # a file
    }
)
FIRST: Final = frozenset(
    {
        *("/connections", "/catalog/stores", "/vk-catalog/albums", "/sync", "/sync/preview", "/sync/problems"),
        *("/sync/runs", "/profile"),
    }
)
"""What a newcomer sees otherwise than an owner: nothing is there yet."""
FURTHER: Final[tuple[tuple[Who, str, int], ...]] = (
    ("owner", f"/catalog/stores/{DEMO_STORE}/products?q=нет+такого", 200),
    ("owner", f"/catalog/stores/{DEMO_STORE}/products?state=needs_you", 200),
    ("owner", "/vk-catalog/albums/0/products", 200),
    ("owner", "/sync/settings?q=чай", 200),
    ("owner", "/no-such-page", 404),
    ("owner", "/admin/users", 403),
    ("nobody", "/reset-password?token=used", 410),
    ("admin", "/admin/users?q=nobody", 200),
    ("admin", "/admin/no-such-page", 404),
)

SMALL: Final = ViewportSize(width=360, height=740)
LARGE: Final = ViewportSize(width=1280, height=900)


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody opens an address."""

    who: Who
    path: str
    status: int = 200
    go: Go = lambda page, path: page.goto(path)
    state: str = ""

    @property
    def name(self) -> str:
        """For a file."""
        path, _, query = self.path.partition("?")
        words = [word for word in path.split("/") if word] or ["start"]
        name, _, value = query.partition("=")
        more = [name if name == "token" else "".join(c if c.isalnum() else "-" for c in f"{name}-{value}")]
        words += [str(self.status)] * (self.status != 200) + [self.state] * bool(self.state)
        return "_".join([self.who, *words, *(more if query else ())]).replace(DEMO_STORE, "store")


def visits(demo: Demo) -> Iterator[Visit]:
    """Every page; a new route is among them as soon as it stands in the table."""
    for name, rule in ACCESS.items():
        method, _, pattern = name.partition(" ")
        if method != "GET" or rule.level is Level.MACHINE or rule.json or name in NO_PAGES:
            continue
        path = address(demo, pattern)
        if rule.level is Level.ANYONE:
            yield Visit("owner" if path == "/logout" else "nobody", path)
        elif rule.level is Level.SIGNED_IN:
            yield Visit("owner", path)
            if path in FIRST:
                yield Visit("newcomer", path)
        else:
            yield Visit("admin", path)
    for who, path, status in FURTHER:
        yield Visit(who, path, status)


def address(demo: Demo, pattern: str) -> str:
    """A row of the table with real things in it."""
    if pattern in LETTERS:
        return demo.link(LETTERS[pattern])
    if pattern == "/sync/problems/listing":
        return f"{pattern}?product={DOUBTED}"
    things: dict[str, Callable[[], str]] = {
        "/catalog/stores/": lambda: DEMO_STORE,
        "/vk-catalog/albums/": lambda: demo.ask("SELECT album_id FROM vk_cached_albums ORDER BY size DESC LIMIT 1"),
        "/sync/runs/": lambda: demo.ask("SELECT id FROM sync_runs WHERE outcome = 'ok' ORDER BY id LIMIT 1"),
        "/admin/users/": lambda: demo.ask("SELECT id FROM users WHERE email = ?", OWNER),
    }
    for beginning, thing in things.items():
        if pattern.startswith(beginning + "{id}"):
            return pattern.replace("{id}", thing()).replace("{number}", things["/sync/runs/"]())
    return pattern


def prepare(demo: Demo, browser: Browser) -> None:
    """Letters with links that nobody followed, a newcomer, some new prices, and a product whose listing is in doubt."""
    community, till = "vk/200042", f"till/01-000000000000042/{DEMO_STORE}"
    demo.told(f"{community}/items", {"items": [{"name": "Кулич пасхальный", "kopecks": 45_000}] * 2})
    demo.told(till, {"put": {DOUBTED: _PRODUCT}, "add_percent": 4})
    with browser.new_context(base_url=demo.url) as context:
        page = sign_in(context, OWNER)
        page.goto("/sync")
        page.locator("form[action='/sync/run'] button").click()
    with browser.new_context(base_url=demo.url) as context:
        page = context.new_page()
        for email in (NEWCOMER, LETTERS["/confirm-email"]):
            register(page, email)
        page.goto(demo.link(NEWCOMER))
        page.locator("main form button.main").click()
        page.goto("/forgot-password")
        page.fill("[name=email]", LETTERS["/reset-password"])
        page.press("[name=email]", "Enter")
        page.wait_for_load_state()
    with browser.new_context(base_url=demo.url) as context:
        page = sign_in(context, ADMIN)
        page.goto("/admin/users/new")
        page.fill("[name=email]", LETTERS["/invite"])
        page.press("[name=email]", "Enter")
        page.wait_for_url("**/admin/users/*")
    waited(lambda: demo.ask("SELECT count(*) FROM cached_products WHERE status = 'same_title'") != "0")


def speak(demo: Demo, language: str) -> None:
    """All accounts, from now on."""
    demo.tell("UPDATE users SET language = ?", language)


def register(page: Page, email: str) -> None:
    page.goto("/register")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD + PASSWORD)
    page.check("[name=consent]")
    page.locator("main button.main").click()
    page.wait_for_url("**/resend-confirm**")


def sign_in(context: BrowserContext, who: str) -> Page:
    page = context.new_page()
    page.goto("/login")
    page.fill("[name=email]", who)
    page.fill("[name=password]", PASSWORD + PASSWORD if who == NEWCOMER else PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/profile")
    return page
