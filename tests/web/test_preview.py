"""What will change: shown field by field, made once, waited for in peace."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from jinja2 import FileSystemBytecodeCache
from pytest_aiohttp.plugin import AiohttpClient

from evosync.domain.action import AddAlbum, AddItem, EditItem, KeepLink, Note, PlaceItems, Plan, Why
from evosync.domain.catalog import Shop
from evosync.domain.ids import ItemId, ProductId, UserId
from evosync.domain.links import Link, LinkState
from evosync.domain.mirror import Outcome
from evosync.domain.status import Standing
from evosync.sync.one_run import Planned
from evosync.web.app import make_site
from evosync.web.foretold import foretell
from evosync.web.pages.preview import PREVIEWS
from evosync.web.services import Services
from tests.web.browser import NOW, Browser, World
from tests.web.mirrored import Owner, item, make_owner, plain

BEFORE = item(11, "Круассан")
ADOPTED = item(12, "Донат")


def link(number: int, listing: int | None = None) -> Link:
    one = ProductId(f"p{number}")
    return Link(one, f"evo-{number}", LinkState.LIVE, ItemId(listing) if listing is not None else None)


def planned() -> Planned:
    """A dearer product, one that is hidden, one that is new, and a listing that follows from now on."""
    plan = Plan(
        actions=(
            KeepLink(link(4, 12), adopted=True),
            EditItem(
                ProductId("p1"),
                ItemId(11),
                Why.CHANGED,
                hidden=False,
                source=b"",
                link=link(1, 11),
                before=BEFORE,
                kopecks=12_000,
            ),
            EditItem(
                ProductId("p2"), ItemId(13), Why.GONE, hidden=True, source=b"", link=link(2, 13), before=item(13, "Сыр")
            ),
            AddAlbum("хлеб", "Хлеб", ()),
            AddItem(ProductId("p3"), "evo-3", "Багет", "описание", 5_000, 1000, 1, 0, b"", "хлеб"),
            PlaceItems("хлеб", (ProductId("p1"), ProductId("p3"))),
        ),
        notes={Note.HAND_EDITS: ("p1",)},
        unchanged=90,
    )
    items = {BEFORE.id: BEFORE, ADOPTED.id: ADOPTED}
    return Planned(plan, {ProductId("p1"): link(1, 11)}, Shop((), items), {})


@dataclass(slots=True)
class Engine:
    """Makes plans when a test lets it."""

    found: Planned | None = field(default_factory=planned)
    may: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[UserId] = field(default_factory=list)

    async def __call__(self, user: UserId, /) -> Planned | None:
        self.asked.append(user)
        await self.may.wait()
        return self.found


@pytest.fixture
def engine() -> Engine:
    engine = Engine()
    engine.may.set()
    return engine


@pytest.fixture
async def browser(
    services: Services, engine: Engine, aiohttp_client: AiohttpClient, compiled_templates: FileSystemBytecodeCache
) -> Browser:
    app = make_site(replace(services, preview=engine), template_cache=compiled_templates)
    return Browser(await aiohttp_client(app))


@pytest.fixture
async def owner(browser: Browser, world: World, services: Services) -> Owner:
    made = await make_owner(world, services.sealer)
    await made.connect()
    await made.fill({1: Standing.WAIT_CHANGE, 3: Standing.WAIT_CREATE})
    await browser.sign_in("owner@example.com")
    return made


async def test_a_plan_is_told_by_what_it_means_to_the_owner() -> None:
    found = foretell(planned(), at=NOW)
    assert [change.fields for change in found.changed] == [{"price": ("10000", "12000"), "album": ("", "Хлеб")}]
    assert [(change.title, change.album) for change in found.added] == [("Багет", "Хлеб")]
    assert [(change.title, change.why) for change in found.hidden] == [("Сыр", "gone")]
    assert [change.title for change in found.adopted] == ["Донат"]
    assert (found.total, found.albums, found.dearer, found.cheaper) == (3, ("Хлеб",), 1, 0)
    assert found.most == ("Круассан", 10_000, 12_000)


async def test_the_page_shows_before_and_after_and_where_to_start(browser: Browser, owner: Owner) -> None:
    page = await browser.get("/sync/preview")
    text = plain(page.text)
    assert page.status == 200
    assert "3 товара изменятся, 90 останутся как есть" in text
    assert "100 ₽</del>" in text
    assert '<span class="tag">120 ₽</span> <small>+20 %</small>' in text
    assert "1 карточку изменили руками в VK" in text
    assert 'action="/sync/run"' in text
    assert "Запустить" in text
    assert "в подборку «Хлеб»" in plain((await browser.get("/sync/preview?show=add")).text)
    assert "ваша карточка «Донат»" in plain((await browser.get("/sync/preview?show=adopt")).text)
    assert (await browser.get("/sync/preview?show=nonsense&page=-7")).status == 200
    assert (await owner.now()).started_at is None


async def test_a_plan_is_made_once_for_all_its_pages_and_anew_when_asked_or_when_the_choice_changes(
    browser: Browser, owner: Owner, engine: Engine
) -> None:
    for _ in range(3):
        await browser.get("/sync/preview?show=add")
    assert len(engine.asked) == 1
    await browser.get("/sync/preview?fresh=1")
    assert len(engine.asked) == 2
    await owner.fill({1: Standing.WAIT_CHANGE, 5: Standing.WAIT_CREATE})
    await browser.post("/sync/run")
    await browser.get("/sync/preview")
    assert len(engine.asked) == 3


async def test_while_both_sides_are_read_the_page_waits_and_asks_again(
    browser: Browser, owner: Owner, engine: Engine
) -> None:
    engine.may.clear()
    assert browser.client.app is not None
    browser.client.app[PREVIEWS].patience = 0.01
    for _ in range(2):
        page = await browser.get("/sync/preview")
        assert 'aria-busy="true"' in page.text
        assert 'http-equiv="refresh"' in page.text
    assert len(engine.asked) == 1
    engine.may.set()
    browser.client.app[PREVIEWS].patience = 5
    assert "Круассан" in (await browser.get("/sync/preview")).text


async def test_where_there_can_be_no_plan_it_says_why(browser: Browser, owner: Owner, engine: Engine) -> None:
    engine.found = None
    await owner.ran(outcome=Outcome.FAILED, code="Evotor 503", reasons=("preview",), dry=True)
    page = await browser.get("/sync/preview")
    assert plain(page.h1) == "Сверить не получилось"
    assert "Эвотор сейчас не отвечает" in plain(page.text)


@pytest.mark.parametrize("code", ["VK HTTP 502", "VK 10"])
async def test_while_vk_is_in_trouble_a_page_that_needs_it_says_so(
    browser: Browser, owner: Owner, engine: Engine, code: str
) -> None:
    engine.found = None
    await owner.ran(outcome=Outcome.FAILED, code=code, reasons=("preview",), dry=True)
    page = await browser.get("/sync/preview")
    assert (page.status, plain(page.h1)) == (503, "ВКонтакте сейчас не отвечает")
    assert "Ваши данные целы" in plain(page.text)
    assert 'href="/sync/preview"' in page.text, "it is tried again by a press"


async def test_nothing_to_change_is_good_news(browser: Browser, owner: Owner, engine: Engine) -> None:
    engine.found = Planned(Plan(unchanged=90), {}, Shop((), {}), {})
    assert (await browser.get("/sync/preview")).h1 == "Менять нечего"


async def test_without_connections_or_a_choice_it_leads_there(browser: Browser, world: World, engine: Engine) -> None:
    await world.person("new@example.com")
    await browser.sign_in("new@example.com")
    assert 'class="btn main" href="/connections"' in (await browser.get("/sync/preview")).text
    assert engine.asked == []
