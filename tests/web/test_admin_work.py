"""The queue, the roles and the audit trail, as admins see and change them."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from redis.exceptions import ConnectionError as Away
from sqlalchemy import select, update

from evosync.db import mirrors
from evosync.db.people import Person
from evosync.db.tables import evotor_connections, sync_runs
from evosync.db.tables.site import letters
from evosync.domain.mirror import Outcome
from evosync.metrics import Gauges, Metrics
from evosync.queue import Queue
from evosync.sync.workers import WorkerSeen
from evosync.web.admin.words import ACTIONS, PARTS
from evosync.web.app import make_site
from evosync.web.services import Checkup, Services
from tests.web import admin_world as backstage
from tests.web.browser import NOW, Browser, Page, World
from tests.web.conftest import NewBrowser


def plain(page: Page) -> str:
    """With ordinary spaces."""
    return page.text.replace("\u00a0", " ")


@pytest.fixture
async def desk(browser: Browser, world: World) -> Browser:
    """An admin at work."""
    await world.person("anna@example.com", role="admin", name="Анна")
    await browser.sign_in("anna@example.com")
    return browser


@pytest.fixture
async def high(new_browser: NewBrowser, world: World) -> Browser:
    """A system user at work."""
    await world.person("root@example.com", role="system", name="Корень")
    browser = await new_browser()
    await browser.sign_in("root@example.com")
    return browser


@pytest.fixture
async def owner(world: World) -> Person:
    return await world.person("olga@example.com", name="Ольга Круглова")


class Workshop:
    """Workers as a test has them."""

    def __init__(self, *workers: WorkerSeen, is_away: bool = False, ill: str = "") -> None:
        self._workers = workers
        self._is_away = is_away
        self._ill = ill

    async def workers(self) -> Sequence[WorkerSeen]:
        if self._is_away:
            raise Away
        return self._workers

    async def depth(self) -> int:
        return 3

    async def checkup(self) -> Checkup:
        ticked = None if self._ill == "cron" else NOW - timedelta(seconds=7)
        return Checkup({name: name != self._ill for name in PARTS}, ticked, NOW - timedelta(minutes=4))


@pytest.fixture
async def site_with(services: Services, world: World) -> AsyncIterator["SiteWith"]:
    """Sites whose workers a test chooses, with an admin signed in."""
    made = SiteWith(services, world)
    yield made
    await made.close()


class SiteWith:
    """Makes a reader of a site with these workers."""

    def __init__(self, services: Services, world: World) -> None:
        self._services = services
        self._world = world
        self._client: TestClient[Any, Any] | None = None

    async def __call__(self, workshop: Workshop) -> Browser:
        app = make_site(replace(self._services, workshop=workshop))
        client = self._client = TestClient(TestServer(app))
        await client.start_server()
        await self._world.person("anna@example.com", role="admin", name="Анна")
        browser = Browser(client)
        await browser.sign_in("anna@example.com")
        return browser

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


# the queue


async def test_an_empty_queue_says_so(desk: Browser) -> None:
    page = await desk.get("/admin/queue")
    assert page.status == 200
    assert "Очередь пуста" in page.text
    assert "Ошибок нет" in page.text


async def test_the_queue_shows_what_waits_what_goes_on_and_what_failed(desk: Browser, world: World) -> None:
    people = [await world.person(f"o{number}@example.com", name="") for number in range(5)]
    for number, person in enumerate(people):
        await backstage.shop(world, person.id, community=100 + number)
        await backstage.set_mirror(world, person.id, next_at=NOW + timedelta(days=1))
    await backstage.going(world, people[0].id)
    await backstage.set_mirror(world, people[1].id, wanted_at=NOW - timedelta(minutes=5), wanted_scope="full")
    await backstage.set_mirror(world, people[2].id, next_at=NOW + timedelta(minutes=30))
    await backstage.ended(world, people[3].id, Outcome.FAILED, "VK 5")
    await backstage.set_mirror(world, people[4].id, failures=2)
    page = await desk.get("/admin/queue")
    figures = [part.partition("</b>")[0].rpartition(">")[2] for part in page.text.split('<b class="big')[1:]]
    assert figures == ["1", "1", "1", "2"]
    text = plain(page)
    assert "записываем · 96 из 164" in text
    assert "VK 5: ВКонтакте больше не пускает" in text
    assert "наш сбой" in text
    assert "2 неудачи" in text
    for person in (people[3], people[4]):
        assert f'action="/admin/queue/mirror-{person.id}/retry"' in text


@pytest.mark.parametrize(
    "silent", [timedelta(minutes=1), -timedelta(hours=1)], ids=["silent", "the clock was set back"]
)
async def test_a_run_whose_worker_is_silent_is_named(
    desk: Browser, owner: Person, world: World, silent: timedelta
) -> None:
    await backstage.shop(world, owner.id)
    await backstage.going(world, owner.id, silent=silent)
    assert "обработчик молчит" in (await desk.get("/admin/queue")).text


async def test_who_is_paused_or_suspended_is_not_in_the_queue(desk: Browser, owner: Person, world: World) -> None:
    await backstage.shop(world, owner.id)
    await backstage.set_mirror(world, owner.id, next_at=NOW - timedelta(minutes=1))
    assert "olga@example.com" in (await desk.get("/admin/queue")).text
    await desk.post(f"/admin/users/{owner.id}/suspend")
    assert "olga@example.com" not in (await desk.get("/admin/queue")).text


async def test_a_retry_makes_the_mirror_due_at_once(desk: Browser, owner: Person, world: World) -> None:
    await backstage.shop(world, owner.id)
    await backstage.ended(world, owner.id, Outcome.FAILED, "VK 10")
    await backstage.set_mirror(world, owner.id, next_at=NOW + timedelta(hours=4))
    for _ in range(2):
        reply = await desk.post(f"/admin/queue/mirror-{owner.id}/retry")
        assert reply.location == "/admin/queue"
    row = await backstage.mirror(world, owner.id)
    assert (row["wanted_at"], row["wanted_scope"], row["wanted_reasons"]) == (NOW, "full", ["retry"])
    assert world.queue.nudged == [owner.id, owner.id]
    assert [entry[0] for entry in await backstage.trail(world)] == ["run_retried", "run_retried"]


async def letter(world: World, **values: object) -> int:
    """Sets values of the newest letter; its number."""
    async with world.database.writing() as connection:
        number = await connection.scalar(select(letters.c.id).order_by(letters.c.id.desc()).limit(1))
        assert number is not None
        await connection.execute(update(letters).where(letters.c.id == number).values(**values))
        return int(number)


async def state_of(world: World, number: int) -> tuple[str, int]:
    async with world.database.reading() as connection:
        query = select(letters.c.state, letters.c.tries).where(letters.c.id == number)
        return tuple((await connection.execute(query)).one())


async def test_a_letter_that_was_given_up_can_be_tried_again(desk: Browser, owner: Person, world: World) -> None:
    await desk.post(f"/admin/users/{owner.id}/reset-password")
    number = await letter(world, state="failed", tries=10, error="451 the mailbox is busy")
    page = await desk.get("/admin/queue")
    assert "451 the mailbox is busy" in page.text
    assert "больше не пробуем" in page.text
    before = world.queue.letters
    await desk.post(f"/admin/queue/letter-{number}/retry")
    assert await state_of(world, number) == ("waiting", 0)
    assert world.queue.letters == before + 1


async def test_a_letter_is_neither_sent_twice_nor_with_a_link_that_is_no_good(
    desk: Browser, owner: Person, world: World
) -> None:
    await desk.post(f"/admin/users/{owner.id}/reset-password")
    sent = await letter(world, state="sent", tries=1)
    await desk.post(f"/admin/queue/letter-{sent}/retry")
    assert (await desk.get("/admin/queue")).toasts[-1] == "Письмо уже отправлено"
    await desk.post(f"/admin/users/{owner.id}/reset-password")
    old = await letter(world, state="failed")
    world.clock.pass_by(timedelta(hours=3))
    await desk.post(f"/admin/queue/letter-{old}/retry")
    assert (await desk.get("/admin/queue")).toasts[-1].startswith("Ссылка в письме использована или устарела")
    assert [await state_of(world, number) for number in (sent, old)] == [("sent", 1), ("failed", 0)]


@pytest.mark.parametrize("key", ["mirror-999", "letter-999", "mirror-x", "mirror", "7", "run-1", "letter-" + "9" * 30])
async def test_what_does_not_exist_cannot_be_retried(desk: Browser, key: str) -> None:
    assert (await desk.post(f"/admin/queue/{key}/retry")).status == 404


async def test_retrying_takes_its_own_right(
    desk: Browser, high: Browser, new_browser: NewBrowser, owner: Person, world: World
) -> None:
    await backstage.shop(world, owner.id)
    await backstage.ended(world, owner.id, Outcome.FAILED, "VK 10")
    rights = ["users.read", "queue.read"]
    await backstage.post_many(high, "/admin/roles/2/permissions", [("permissions", right) for right in rights])
    page = await desk.get("/admin/queue")
    assert "VK 10" in page.text
    assert "/retry" not in page.text
    assert (await desk.post(f"/admin/queue/mirror-{owner.id}/retry")).status == 403
    stranger = await new_browser()
    assert (await stranger.post(f"/admin/queue/mirror-{owner.id}/retry")).status == 401
    await stranger.sign_in("olga@example.com")
    assert (await stranger.post(f"/admin/queue/mirror-{owner.id}/retry")).status == 403
    assert (await backstage.mirror(world, owner.id))["wanted_at"] is None


async def test_workers_are_shown_with_their_pulse(site_with: SiteWith) -> None:
    begun = NOW - timedelta(hours=2)
    page = await (
        await site_with(
            Workshop(
                WorkerSeen("w-1", NOW, begun, busy=4, most=10, waiting=2, memory=150_000_000),
                WorkerSeen("w-2", NOW - timedelta(minutes=5), begun),
                WorkerSeen("w-3", NOW - timedelta(hours=1), begun, stopped_at=NOW - timedelta(hours=1)),
            )
        )
    ).get("/admin/queue")
    text = plain(page)
    assert "1 обработчик на связи" in text
    assert "4 из 10" in text
    assert "143 МБ" in text
    assert "молчит: сегодня" in text
    assert "остановлен: 1 час назад" in text
    assert "Работ в Redis: 3." in text


async def test_without_a_worker_the_queue_stands_still(site_with: SiteWith) -> None:
    page = await (await site_with(Workshop())).get("/admin/queue")
    assert page.h1 == "Очередь стоит"
    assert "Нет обработчиков на связи" in page.text


async def test_the_queue_says_what_the_doctor_says(site_with: SiteWith) -> None:
    page = await (await site_with(Workshop(WorkerSeen("w-1", NOW, NOW), ill="cron"))).get("/admin/queue")
    text = plain(page)
    assert page.h1 == "Очередь стоит"
    assert "Не в порядке: расписание" in text
    assert "ещё не было" in text
    assert "3 задания ждут, старейшее с" in text


async def test_a_till_whose_app_was_removed_waits_for_nothing(desk: Browser, owner: Person, world: World) -> None:
    await backstage.shop(world, owner.id)
    await backstage.set_mirror(world, owner.id, next_at=NOW - timedelta(minutes=1))
    assert "olga@example.com" in (await desk.get("/admin/queue")).text
    await world.database.write(
        lambda connection: connection.execute(
            update(evotor_connections).where(evotor_connections.c.user_id == owner.id).values(health="parked")
        )
    )
    assert "olga@example.com" not in (await desk.get("/admin/queue")).text


class WithQueue(Workshop):
    """Its jobs are those in Redis."""

    def __init__(self, queue: Queue) -> None:
        super().__init__(WorkerSeen("w-1", NOW, NOW))
        self._queue = queue

    async def depth(self) -> int:
        return await self._queue.depth()


async def all_well() -> dict[str, bool]:
    return {}


async def told(world: World, queue: Queue) -> dict[str, float]:
    """What Prometheus would read."""
    text = await Gauges(Metrics(), world.database, queue, clock=world.clock, phases=dict, parts=all_well).text()
    lines = (line.rpartition(" ") for line in text.decode().splitlines() if not line.startswith("#"))
    return {name: float(figure) for name, _, figure in lines}


async def test_the_queue_shows_what_the_metrics_tell_and_the_workers_find(
    site_with: SiteWith, owner: Person, world: World
) -> None:
    """A run was left by a dead worker, one owner is due, for one the clock was set back; one goes on, one rests."""
    names = ("boris", "vera", "gleb", "dina")
    people = [owner, *[await world.person(f"{name}@example.com") for name in names]]
    for number, person in enumerate(people):
        run = await backstage.shop(world, person.id, community=100 + number)
        await world.database.write(
            lambda connection, run=run, hours=number: connection.execute(  # type: ignore[misc]  # bound at once
                update(sync_runs).where(sync_runs.c.id == run).values(finished_at=NOW - timedelta(hours=hours))
            )
        )
    left, due, set_back, going, resting = (person.id for person in people)
    await backstage.going(world, left, silent=timedelta(minutes=10))
    await backstage.set_mirror(world, due, next_at=NOW - timedelta(minutes=1))
    await backstage.set_mirror(world, set_back, next_at=NOW + timedelta(hours=3), started_at=NOW + timedelta(hours=2))
    await backstage.going(world, going)
    await backstage.set_mirror(world, resting, next_at=NOW + timedelta(minutes=30))
    await world.redis.zadd("arq:queue", {"nudge:1": NOW.timestamp() * 1000, "nudge:2": NOW.timestamp() * 1000})
    async with world.database.reading() as connection:
        assert set(await mirrors.due(connection, NOW, 10)) == {left, due, set_back}
    queue = Queue(world.redis)
    figures = await told(world, queue)
    page = await (await site_with(WithQueue(queue))).get("/admin/queue")
    shown = [part.partition("</b>")[0].rpartition(">")[2] for part in page.text.split('<b class="big')[1:]]
    assert float(shown[1]) == figures["evosync_mirrors_due"] == 3
    jobs = re.search(r"Работ в Redis: (\d+)", page.text)
    fresh = re.search(r'Обновляются витрины: (\d+)\. Самое давнее обновление: <time datetime="([^"]+)"', page.text)
    assert jobs is not None
    assert fresh is not None
    assert float(jobs[1]) == figures["evosync_queue_depth"] == 2
    assert float(fresh[1]) == figures["evosync_mirrors"] == 5
    age = (NOW - datetime.fromisoformat(fresh[2])).total_seconds()
    assert age == figures['evosync_mirror_age_seconds{waits_for="run"}'] == 4 * 3600
    assert "Ждут VK" not in page.text


async def test_shops_that_wait_for_vk_are_counted_as_the_metrics_do_and_are_no_younger_than_that(
    site_with: SiteWith, new_browser: NewBrowser, owner: Person, world: World
) -> None:
    for number, days in ((1, 0), (2, 2), (3, 1)):
        person = owner if number == 1 else await world.person(f"o{number}@example.com")
        await backstage.shop(world, person.id, community=100 + number)
        await backstage.set_mirror(world, person.id, behind_since=NOW - timedelta(days=days) if days else None)
    queue = Queue(world.redis)
    figures = await told(world, queue)
    assert figures["evosync_mirrors_waiting_for_vk"] == 2
    assert figures['evosync_mirror_age_seconds{waits_for="vk"}'] == 2 * 86_400
    page = await (await site_with(WithQueue(queue))).get("/admin/queue")
    shown = re.search(r'Самое давнее обновление: <time datetime="([^"]+)".*?</time>\. Ждут VK: 2\.', page.text)
    assert shown is not None
    assert datetime.fromisoformat(shown[1]) == NOW - timedelta(days=2)
    await world.person("ann@example.com", role="system", name="Ann", language="en")
    english = await new_browser("en")
    await english.sign_in("ann@example.com")
    assert "Waiting for VK: 2." in (await english.get("/admin/queue")).text


async def test_a_shop_that_has_waited_for_vk_for_a_day_is_among_those_not_updated(
    desk: Browser, owner: Person, world: World
) -> None:
    await backstage.shop(world, owner.id)
    for hours, is_there in ((23, False), (24, True)):
        await backstage.set_mirror(world, owner.id, behind_since=NOW - timedelta(hours=hours))
        assert ("Ольга" in (await desk.get("/admin/users?state=stale")).text) is is_there


async def test_the_queue_is_shown_without_redis_too(site_with: SiteWith) -> None:
    page = await (await site_with(Workshop(is_away=True))).get("/admin/queue")
    assert (page.status, "Redis не отвечает" in page.text) == (200, True)


# the roles


async def permissions(world: World, email: str) -> frozenset[str]:
    person = await world.by_email(email)
    assert person is not None
    return await backstage.permissions(world, person.id)


async def test_what_a_role_may_do_is_changed_at_once_and_stands_in_the_trail(
    desk: Browser, high: Browser, world: World
) -> None:
    assert (await desk.get("/admin/audit")).status == 200
    for _ in range(2):
        reply = await backstage.post_many(high, "/admin/roles/2/permissions", [("permissions", "users.read")])
        assert reply.location == "/admin/roles"
    assert await permissions(world, "anna@example.com") == {"users.read"}
    assert (await desk.get("/admin/audit")).status == 403
    changed = [entry for entry in await backstage.trail(world) if entry[0] == "permissions_changed"]
    assert len(changed) == 1, "the second time nothing changed"
    assert changed[0][3]["role"] == "admin"
    assert "audit.read" in changed[0][3]["taken"]


async def test_the_rights_of_system_users_are_fixed(high: Browser, world: World) -> None:
    reply = await backstage.post_many(high, "/admin/roles/1/permissions", [("permissions", "users.read")])
    assert (reply.status, reply.errors) == (409, ["Права этой роли не меняются"])
    assert "roles.edit" in await permissions(world, "root@example.com")


@pytest.mark.parametrize(("role", "right"), [("2", "world.rule"), ("99", "users.read"), ("x", "users.read")])
async def test_there_are_no_other_roles_and_rights(high: Browser, role: str, right: str) -> None:
    reply = await backstage.post_many(high, f"/admin/roles/{role}/permissions", [("permissions", right)])
    assert reply.status == 404


async def test_nobody_gives_more_than_he_has(desk: Browser, high: Browser, world: World) -> None:
    assert (await desk.get("/admin/roles")).status == 403
    assert (await backstage.post_many(desk, "/admin/roles/3/permissions", [])).status == 403
    mine = [("permissions", "users.read"), ("permissions", "roles.edit")]
    await backstage.post_many(high, "/admin/roles/2/permissions", mine)
    assert (await desk.get("/admin/roles")).status == 200
    reply = await backstage.post_many(desk, "/admin/roles/2/permissions", [*mine, ("permissions", "users.delete")])
    assert reply.status == 403
    assert await permissions(world, "anna@example.com") == {"users.read", "roles.edit"}
    assert (await backstage.trail(world))[-1][0::3] == ("refused", {"what": "set_permissions"})


# the audit trail


async def test_the_trail_names_who_did_what_to_whom(desk: Browser, owner: Person) -> None:
    await desk.post(f"/admin/users/{owner.id}/suspend", {"reason": "не платит"})
    page = await desk.get("/admin/audit")
    for text in ("Аккаунт приостановлен", "не платит", "Ольга Круглова", "Анна", "127.0.0.1", "Вход"):
        assert text in page.text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("action=suspended", True),
        ("action=edited", False),
        ("q=ольга", True),
        ("q=olga@", True),
        ("q=2", True),
        ("q=999", False),
        ("q=%25", False),
        ("q=" + "9" * 40, False),
        ("page=99", True),
    ],
)
async def test_the_trail_is_searched(
    desk: Browser,
    owner: Person,
    query: str,
    shown: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    await desk.post(f"/admin/users/{owner.id}/suspend", {"reason": "не платит"})
    page = await desk.get(f"/admin/audit?{query}")
    assert page.status == 200
    assert ("не платит" in page.text) is shown
    assert ("Таких записей нет" in page.text) is not shown


async def test_the_trail_outlives_the_account(desk: Browser, owner: Person, world: World) -> None:
    await desk.post(f"/admin/users/{owner.id}/suspend", {"reason": "не платит"})
    await desk.post(f"/admin/users/{owner.id}/delete")
    page = await desk.get("/admin/audit")
    assert "не платит" in page.text
    assert "Ольга" not in page.text
    assert "olga@example.com" not in repr(await backstage.trail(world))


async def test_a_long_trail_has_pages(desk: Browser, owner: Person) -> None:
    for act in ("suspend", "activate") * 26:
        await desk.post(f"/admin/users/{owner.id}/{act}")
    assert "1 из 2" in plain(await desk.get("/admin/audit"))
    assert "Вход" in (await desk.get("/admin/audit?page=2")).text


async def test_english_readers_are_spoken_to_in_english(new_browser: NewBrowser, world: World, owner: Person) -> None:
    await world.person("ann@example.com", role="system", name="Ann", language="en")
    browser = await new_browser("en")
    await browser.sign_in("ann@example.com")
    for path, title in (
        ("/admin/users", "People"),
        (f"/admin/users/{owner.id}/suspend", "Suspend the account?"),
        ("/admin/roles", "Roles"),
        ("/admin/queue", "Queue"),
        ("/admin/audit", "Audit"),
    ):
        assert (await browser.get(path)).h1 == title


def test_every_entry_that_is_written_has_words() -> None:
    written: set[str] = set()
    for path in Path("evosync").rglob("*.py"):
        source = path.read_text("utf-8")
        written |= set(re.findall(r"trail\.record\(\s*connection,\s*\"(\w+)\"", source))
        written |= set(re.findall(r"self\._record\(\s*connection,\s*\"(\w+)\"", source))
    assert "account_deleted" in written
    assert written - ACTIONS.keys() == set()
