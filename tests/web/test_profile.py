"""A person's own page and what he changes there."""

import asyncio
from datetime import timedelta

import orjson
import pytest

from evosync.db import trail
from evosync.words.letters import Kind
from tests.web.browser import PASSWORD, Browser, World
from tests.web.conftest import NewBrowser

NEW = "three blue cats"


@pytest.fixture
async def owner(browser: Browser, world: World) -> Browser:
    await world.person()
    await browser.sign_in("owner@example.com")
    return browser


def edited(**values: str) -> dict[str, str]:
    return {
        "name": "Владелец лавки",
        "email": "owner@example.com",
        "phone": "",
        "language": "ru",
        "time_zone": "Europe/Moscow",
        "password": "",
        **values,
    }


async def test_he_changes_what_he_is_called_and_how_he_reads(owner: Browser, world: World) -> None:
    reply = await owner.post(
        "/profile/edit", edited(name="Пётр", phone="8 (912) 345-67-89", language="en", time_zone="Asia/Omsk")
    )
    assert reply.location == "/profile"
    page = await owner.get("/profile")
    assert (page.h1, page.toasts) == ("Пётр", ["Saved"])
    assert "+7 912 345-67-89" in page.text
    assert "Omsk, UTC+6, now 3:30 pm" in page.text
    found = await world.by_email("owner@example.com")
    assert found is not None
    assert (found.phone, found.language, found.time_zone) == ("+79123456789", "en", "Asia/Omsk")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("phone", "12", "Введите телефон вида +7 912 345-67-89"),
        ("email", "owner@", "Введите почту вида name@example.com"),
        ("email", "", "Введите почту вида name@example.com"),
        ("language", "tlh", None),
        ("time_zone", "Mars/Olympus", None),
        ("name", "ы" * 101, "Слишком длинно"),
    ],
)
async def test_nonsense_is_refused_beside_its_field(
    owner: Browser, world: World, field: str, value: str, message: str | None
) -> None:
    reply = await owner.post("/profile/edit", edited(**{field: value}))
    assert reply.status == 422
    assert reply.errors == ([message] if message else reply.errors)
    assert len(reply.errors) == 1
    found = await world.by_email("owner@example.com")
    assert found is not None
    assert (found.language, found.time_zone, found.name) == ("ru", "Europe/Moscow", "Владелец лавки")


async def test_a_new_address_counts_once_it_is_confirmed(owner: Browser, world: World) -> None:
    await owner.post("/profile/edit", edited(email="new@example.com", password=PASSWORD))
    assert await world.by_email("new@example.com") is None
    assert await world.outbox() == [("new_address", "new@example.com")]
    link = await world.link(Kind.NEW_ADDRESS)
    assert "new@example.com" in (await owner.get(link)).text
    reply = await owner.post("/confirm-email", {"token": link.partition("token=")[2]})
    assert reply.location == "/profile"
    assert await world.by_email("owner@example.com") is None
    assert await world.by_email("new@example.com") is not None
    assert (await world.outbox())[1:] == [("address_changed", "owner@example.com")]


@pytest.mark.parametrize(
    ("password", "message"),
    [("", "Чтобы сменить почту, введите пароль"), ("wrong", "Пароль не подошёл. Проверьте раскладку")],
)
async def test_a_new_address_needs_the_password(owner: Browser, world: World, password: str, message: str) -> None:
    reply = await owner.post("/profile/edit", edited(email="new@example.com", password=password))
    assert (reply.status, reply.errors) == (422, [message])
    assert await world.outbox() == []


async def test_another_s_address_is_not_given_away_and_cannot_be_taken(owner: Browser, world: World) -> None:
    await world.person("taken@example.com")
    reply = await owner.post("/profile/edit", edited(email="taken@example.com", password=PASSWORD))
    assert reply.location == "/profile", "the same answer as for a free one"
    assert await world.outbox() == [("have_account", "taken@example.com")]


async def test_an_address_taken_meanwhile_is_not_taken_away(owner: Browser, world: World) -> None:
    await owner.post("/profile/edit", edited(email="new@example.com", password=PASSWORD))
    other = await world.person("new@example.com")
    assert (await owner.post("/confirm-email", {"token": await world.token(Kind.NEW_ADDRESS)})).status == 410
    assert await world.by_email("new@example.com") == other


async def test_letters_to_the_former_address_open_nothing_any_more(owner: Browser, world: World) -> None:
    await owner.post("/forgot-password", {"email": "owner@example.com"})
    reset = await world.token(Kind.RESET)
    await owner.post("/profile/edit", edited(email="new@example.com", password=PASSWORD))
    await owner.post("/confirm-email", {"token": await world.token(Kind.NEW_ADDRESS)})
    assert (await owner.post("/reset-password", {"token": reset, "password": NEW})).status == 410


async def test_a_notice_is_switched_in_place_and_a_repeat_changes_nothing(owner: Browser, world: World) -> None:
    for _ in range(2):
        reply = await owner.post("/profile/notices/failing", {"on": "0"}, Accept="application/json")
        assert (reply.status, orjson.loads(reply.text)) == (200, {"on": False, "text": "Сохранили"})
    found = await world.by_email("owner@example.com")
    assert found is not None
    assert not found.wants("failing")
    assert found.wants("broken")


async def test_a_notice_is_switched_without_a_script_too(owner: Browser) -> None:
    reply = await owner.post("/profile/notices/broken", {"on": "0"})
    assert (reply.status, reply.location) == (303, "/profile")
    assert 'aria-checked="false" aria-labelledby="n-broken"' in (await owner.get("/profile")).text


@pytest.mark.parametrize(("name", "on", "status"), [("reset", "0", 404), ("broken", "2", 400), ("broken", "", 400)])
async def test_there_are_no_other_notices_and_states(owner: Browser, name: str, on: str, status: int) -> None:
    assert (await owner.post(f"/profile/notices/{name}", {"on": on})).status == status


async def test_changing_the_password_ends_the_other_sign_ins_and_keeps_this_one(
    new_browser: NewBrowser, world: World
) -> None:
    await world.person()
    here, elsewhere = await new_browser(), await new_browser()
    for one in (here, elsewhere):
        await one.sign_in("owner@example.com")
    before = here.cookie
    reply = await here.post("/profile/change-password", {"present": PASSWORD, "password": NEW})
    assert reply.location == "/profile"
    assert here.cookie != before
    assert (await here.get("/profile")).status == 200
    assert (await elsewhere.get("/profile")).status == 303
    assert await world.outbox() == [("password_changed", "owner@example.com")]
    assert (await elsewhere.sign_in("owner@example.com", NEW)).status == 303


async def test_the_present_password_is_asked_for_and_guessing_it_is_slow(owner: Browser, world: World) -> None:
    for _ in range(10):
        reply = await owner.post("/profile/change-password", {"present": "wrong", "password": NEW})
        assert reply.errors == ["Пароль не подошёл. Проверьте раскладку"]
    assert (await owner.post("/profile/change-password", {"present": PASSWORD, "password": NEW})).status == 429
    world.clock.pass_by(timedelta(minutes=15))
    assert await world.outbox() == []


async def test_sign_ins_are_listed_and_ended_one_by_one(new_browser: NewBrowser, world: World) -> None:
    await world.person()
    here, phone = await new_browser(), await new_browser()
    phone.headers["User-Agent"] = "Mozilla/5.0 (Linux; Android 14) AppleWebKit Chrome/120 Mobile Safari/537"
    for one in (here, phone):
        await one.sign_in("owner@example.com")
    page = await here.get("/profile")
    assert "Android, Chrome" in page.text
    assert phone.cookie not in page.text
    path = page.text.partition("/profile/sessions/")[2].partition('"')[0]
    path = next(part.partition('"')[0] for part in page.text.split("/profile/sessions/")[1:] if '/end"' in part[:40])
    assert (await here.post(f"/profile/sessions/{path}")).location == "/profile"
    assert (await phone.get("/profile")).status == 303
    assert (await here.get("/profile")).status == 200
    assert (await here.post(f"/profile/sessions/{path}")).status == 303, "twice is no error"


async def test_nobody_ends_another_s_sign_in(new_browser: NewBrowser, world: World) -> None:
    await world.person()
    await world.person("other@example.com")
    mine, stranger = await new_browser(), await new_browser()
    await mine.sign_in("owner@example.com")
    await stranger.sign_in("other@example.com")
    number = (await world.redis.hkeys("evosync:sign-ins:1"))[0].decode()
    await stranger.post(f"/profile/sessions/{number}/end")
    assert (await mine.get("/profile")).status == 200


async def test_all_other_sign_ins_end_at_once(new_browser: NewBrowser, world: World) -> None:
    await world.person()
    browsers = [await new_browser() for _ in range(3)]
    for one in browsers:
        await one.sign_in("owner@example.com")
    await browsers[0].post("/profile/sessions/end-others")
    assert [(await one.get("/profile")).status for one in browsers] == [200, 303, 303]


async def test_my_data_hold_what_is_kept_and_no_secret(owner: Browser) -> None:
    reply = await owner.get("/profile/data")
    assert reply.response.headers["Content-Disposition"].startswith("attachment")
    data = orjson.loads(reply.text)
    assert data["account"]["email"] == "owner@example.com"
    assert data["sign_ins"][0]["device"].startswith("Mozilla")
    assert [entry["action"] for entry in data["audit"]] == ["signed_in"]
    assert "password_hash" not in reply.text
    assert "$2b$" not in reply.text
    assert owner.cookie not in reply.text


async def test_deleting_the_account_erases_it(owner: Browser, world: World) -> None:
    refused = await owner.post("/profile/delete", {"password": "wrong"})
    assert (refused.status, refused.errors) == (422, ["Пароль не подошёл. Проверьте раскладку"])
    person = await world.by_email("owner@example.com")
    reply = await owner.post("/profile/delete", {"password": PASSWORD})
    assert reply.location == "/login"
    assert await world.by_email("owner@example.com") is None
    assert (await owner.get("/profile")).status == 303
    assert (await owner.sign_in("owner@example.com")).status == 422
    assert person is not None
    assert await world.database.read(lambda connection: trail.of(connection, person.id, limit=9)) == []


async def test_the_last_system_user_stays(browser: Browser, world: World) -> None:
    await world.person("root@example.com", role="system")
    await browser.sign_in("root@example.com")
    reply = await browser.post("/profile/delete", {"password": PASSWORD})
    assert reply.errors == ["Вы последний системный администратор. Сначала дайте эту роль кому-то ещё"]
    await world.person("second@example.com", role="system")
    assert (await browser.post("/profile/delete", {"password": PASSWORD})).location == "/login"


async def test_two_presses_at_once_are_one(owner: Browser, world: World) -> None:
    await owner.post("/profile/edit", edited(email="new@example.com", password=PASSWORD))
    token = (await owner.get("/privacy")).token
    sent = {"token": await world.token(Kind.NEW_ADDRESS)}
    replies = await asyncio.gather(*(owner.post("/confirm-email", sent, token=token) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [303, 410, 410, 410]
