"""What Evotor told of an owner, as an admin sees it and does once more."""

import pytest

from evosync.db import deliveries, till_accounts
from evosync.db.deliveries import Delivery, Kind, State, key_of
from evosync.db.people import Person
from evosync.domain.connection import Health
from evosync.domain.ids import UserId
from tests.web import admin_world as backstage
from tests.web.browser import NOW, Browser, Page, World
from tests.web.conftest import NewBrowser

STORE = "20240115-7A3C-40D1-80B2-5C0F1E2A9B31"


@pytest.fixture
async def desk(browser: Browser, world: World) -> Browser:
    """An admin at work."""
    await world.person("anna@example.com", role="admin", name="Анна")
    await browser.sign_in("anna@example.com")
    return browser


@pytest.fixture
async def owner(world: World) -> Person:
    person = await world.person("olga@example.com", name="Ольга Круглова")
    await backstage.shop(world, person.id)
    return person


async def told(world: World, user: UserId, kind: Kind, state: State = State.DONE, **more: object) -> int:
    """A delivery of this owner; its number."""
    till_user = f"01-{user}"
    code = more.pop("code", None)
    key = key_of(kind, *more.values()) if kind in {Kind.INSTALLATION, Kind.SUBSCRIPTION} else None
    delivery = Delivery(
        kind, NOW, till_user, user, key=key, facts=more, state=state, done_at=NOW,
        code=code if isinstance(code, int) else None,
    )  # fmt: skip
    return await world.database.write(lambda connection: deliveries.add(connection, delivery))


async def replay(browser: Browser, user: UserId, number: int) -> Page:
    return await browser.post(f"/admin/users/{user}/deliveries/{number}/replay")


async def health(world: World, user: UserId) -> tuple[Health, str]:
    account = await world.database.read(lambda connection: till_accounts.by_user(connection, user))
    assert account is not None
    return account.health, account.reason


async def removed(world: World, user: UserId, time: int = 5) -> int:
    return await told(world, user, Kind.INSTALLATION, type="ApplicationUninstalled", id=f"event-{time}", time=time)


async def test_an_owner_s_calls_are_listed_with_time_kind_and_result(
    desk: Browser, owner: Person, world: World
) -> None:
    await told(world, owner.id, Kind.PRODUCTS, State.WAITING, stores=[STORE])
    await told(world, owner.id, Kind.VERIFY, State.REFUSED, code=2004)
    await told(world, owner.id, Kind.SUBSCRIPTION, type="SubscriptionRenewed", subscription="s-1", number=3)
    assert f'href="/admin/users/{owner.id}/deliveries"' in (await desk.get(f"/admin/users/{owner.id}")).text
    page = await desk.get(f"/admin/users/{owner.id}/deliveries")
    assert (page.status, page.h1) == (200, "Вызовы Эвотора")
    for text in ("Товары", STORE, "Ждёт", "Вход владельца", "Отказали", "ответили кодом 2004", "SubscriptionRenewed"):
        assert text in page.text, text
    assert page.text.index("Подписка") < page.text.index("Вход владельца") < page.text.index(STORE)
    assert page.text.count("Повторить вызов") == 2, "what was refused is not offered"


async def test_the_page_speaks_english_and_says_when_nothing_came(
    new_browser: NewBrowser, owner: Person, world: World
) -> None:
    await world.person("ann@example.com", role="admin", language="en")
    browser = await new_browser()
    await browser.sign_in("ann@example.com")
    assert "Evotor has not called yet" in (await browser.get(f"/admin/users/{owner.id}/deliveries")).text
    await told(world, owner.id, Kind.TOKEN)
    page = await browser.get(f"/admin/users/{owner.id}/deliveries")
    assert "The till&#39;s key" in page.text
    assert "Replay" in page.text


async def test_a_replayed_hint_makes_a_run_due_at_once_however_often(
    desk: Browser, owner: Person, world: World
) -> None:
    number = await told(world, owner.id, Kind.PRODUCTS, stores=[STORE])
    for _ in range(2):
        reply = await replay(desk, owner.id, number)
        assert reply.location == f"/admin/users/{owner.id}/deliveries"
    row = await backstage.mirror(world, owner.id)
    assert (row["wanted_at"], row["wanted_scope"], row["wanted_reasons"]) == (NOW, "full", ["replay"])
    assert world.queue.nudged == [owner.id, owner.id]
    said = [entry for entry in await backstage.trail(world) if entry[0] == "delivery_replayed"]
    assert [(user, details) for _, _, user, details in said] == [(owner.id, {"number": number})] * 2
    assert "обновление в очереди" in (await desk.get("/profile")).text


async def test_a_replayed_removal_parks_the_till_once_and_tells_its_owner(
    desk: Browser, owner: Person, world: World
) -> None:
    number = await removed(world, owner.id)
    for _ in range(2):
        await replay(desk, owner.id, number)
    assert await health(world, owner.id) == (Health.PARKED, "uninstalled")
    assert [kind for kind, _ in await world.outbox()] == ["evotor_parked"]
    assert world.queue.nudged == []
    hint = await told(world, owner.id, Kind.PRODUCTS, stores=[STORE])
    await replay(desk, owner.id, hint)
    assert not (await backstage.mirror(world, owner.id))["wanted_at"], "a parked till is left alone"


async def test_a_replay_does_not_bring_back_what_was_overtaken(desk: Browser, owner: Person, world: World) -> None:
    number = await removed(world, owner.id)
    await told(world, owner.id, Kind.INSTALLATION, type="ApplicationInstalled", id="later", time=6)
    await replay(desk, owner.id, number)
    assert (await health(world, owner.id))[0] is Health.OK
    assert "более новое" in (await desk.get("/profile")).text


async def test_a_delivery_of_another_owner_is_not_found(desk: Browser, owner: Person, world: World) -> None:
    other = await world.person("boris@example.com")
    number = await removed(world, owner.id)
    assert (await replay(desk, other.id, number)).status == 404
    assert (await replay(desk, owner.id, number + 99)).status == 404
    assert (await replay(desk, UserId(owner.id + 99), number)).status == 404
    assert (await desk.get("/admin/users/99999/deliveries")).status == 404
    assert (await health(world, owner.id))[0] is Health.OK
    assert not [entry for entry in await backstage.trail(world) if entry[0] == "delivery_replayed"]


async def test_nobody_without_the_right_sees_or_replays(new_browser: NewBrowser, owner: Person, world: World) -> None:
    number = await removed(world, owner.id)
    browser = await new_browser()
    await browser.sign_in("olga@example.com")
    assert (await browser.get(f"/admin/users/{owner.id}/deliveries")).status == 403
    assert (await replay(browser, owner.id, number)).status == 403
    assert (await health(world, owner.id))[0] is Health.OK


async def test_the_account_of_somebody_who_may_more_is_left_alone(desk: Browser, world: World) -> None:
    root = await world.person("root@example.com", role="system")
    await backstage.shop(world, root.id)
    number = await removed(world, root.id)
    assert "Повторить вызов" not in (await desk.get(f"/admin/users/{root.id}/deliveries")).text
    assert (await replay(desk, root.id, number)).status == 403
    assert (await health(world, root.id))[0] is Health.OK
    assert ("refused", root.id) in [(action, user) for action, _, user, _ in await backstage.trail(world)]


async def test_a_replay_without_the_form_s_token_is_refused(desk: Browser, owner: Person, world: World) -> None:
    number = await removed(world, owner.id)
    reply = await desk.post(f"/admin/users/{owner.id}/deliveries/{number}/replay", token="")
    assert reply.status == 403
    assert (await health(world, owner.id))[0] is Health.OK
