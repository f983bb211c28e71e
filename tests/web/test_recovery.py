"""Forgotten passwords and invitations."""

from datetime import timedelta

from evosync.accounts import invites
from evosync.db import people
from evosync.db.accounts import UserStatus
from evosync.db.people import Person
from evosync.words.letters import Kind
from tests.web.browser import NOW, Browser, World
from tests.web.conftest import NewBrowser

NEW = "three blue cats"


async def test_the_link_sets_a_new_password(browser: Browser, world: World) -> None:
    await world.person()
    assert (
        await browser.post("/forgot-password", {"email": "owner@example.com"})
    ).location == "/forgot-password?sent=1"
    link = await world.link(Kind.RESET)
    assert (await browser.get(link)).h1 == "Новый пароль"
    reply = await browser.post("/reset-password", {"token": link.partition("token=")[2], "password": NEW})
    assert reply.location == "/login"
    assert (await browser.sign_in("owner@example.com")).status == 422
    assert (await browser.sign_in("owner@example.com", NEW)).status == 303
    assert await world.outbox() == [("reset", "owner@example.com"), ("password_changed", "owner@example.com")]


async def test_all_sign_ins_end(new_browser: NewBrowser, world: World) -> None:
    await world.person()
    elsewhere, here = await new_browser(), await new_browser()
    await elsewhere.sign_in("owner@example.com")
    await here.post("/forgot-password", {"email": "owner@example.com"})
    await here.post("/reset-password", {"token": await world.token(Kind.RESET), "password": NEW})
    assert (await elsewhere.get("/profile")).status == 303


async def test_it_tells_nothing_about_an_address(browser: Browser, world: World) -> None:
    await world.person("gone@example.com", status=UserStatus.SUSPENDED)
    for address in ("nobody@example.com", "gone@example.com"):
        reply = await browser.post("/forgot-password", {"email": address})
        assert (reply.status, reply.location) == (303, "/forgot-password?sent=1")
    assert await world.outbox() == []


async def test_a_bad_password_keeps_the_link_good(browser: Browser, world: World) -> None:
    await world.person()
    await browser.post("/forgot-password", {"email": "owner@example.com"})
    token = await world.token(Kind.RESET)
    reply = await browser.post("/reset-password", {"token": token, "password": "short"})
    assert (reply.status, reply.errors) == (422, ["Пароль от 10 знаков, не из частых"])
    assert reply.value("token") == token
    assert (await browser.post("/reset-password", {"token": token, "password": NEW})).status == 303
    assert (await browser.post("/reset-password", {"token": token, "password": NEW})).status == 410


async def test_using_one_link_makes_the_others_useless(browser: Browser, world: World) -> None:
    await world.person()
    await browser.post("/forgot-password", {"email": "owner@example.com"})
    first = await world.token(Kind.RESET)
    await browser.post("/forgot-password", {"email": "owner@example.com"})
    await browser.post("/reset-password", {"token": await world.token(Kind.RESET), "password": NEW})
    assert (await browser.post("/reset-password", {"token": first, "password": "four red dogs"})).status == 410


async def test_a_link_is_too_old_after_two_hours(browser: Browser, world: World) -> None:
    await world.person()
    await browser.post("/forgot-password", {"email": "owner@example.com"})
    token = await world.token(Kind.RESET)
    world.clock.pass_by(timedelta(hours=2))
    assert (await browser.post("/reset-password", {"token": token, "password": NEW})).status == 410


async def test_a_pending_account_becomes_active_for_the_letter_reached_its_owner(
    browser: Browser, world: World
) -> None:
    person = await world.person(status=UserStatus.PENDING)
    await browser.post("/forgot-password", {"email": "owner@example.com"})
    await browser.post("/reset-password", {"token": await world.token(Kind.RESET), "password": NEW})
    found = await world.again(person)
    assert found is not None
    assert (found.status, found.email_confirmed_at) == (UserStatus.ACTIVE, NOW)


async def test_a_suspended_account_stays_suspended_with_its_new_password(browser: Browser, world: World) -> None:
    person = await world.person()
    await browser.post("/forgot-password", {"email": "owner@example.com"})
    await world.change(person, status="suspended")
    await browser.post("/reset-password", {"token": await world.token(Kind.RESET), "password": NEW})
    assert (await browser.sign_in("owner@example.com", NEW)).h1 == "Аккаунт приостановлен"


async def test_the_token_is_told_to_no_other_site(browser: Browser, world: World) -> None:
    await world.person()
    await browser.post("/forgot-password", {"email": "owner@example.com"})
    reply = await browser.get(await world.link(Kind.RESET))
    assert reply.response.headers["Referrer-Policy"] == "no-referrer"
    assert reply.response.headers["Cache-Control"] == "no-store"


async def _invited(world: World, *, email: str | None = "guest@example.com", phone: str | None = None) -> Person:
    admin = await world.person("admin@example.com", role="admin", name="Анна")
    user = await world.database.write(
        lambda connection: invites.open_account(
            connection,
            world.links,
            by=admin,
            email=email,
            phone=phone,
            name="Гость",
            language="ru",
            time_zone="Europe/Moscow",
            at=world.clock.now,
        )
    )
    found = await world.database.read(lambda connection: people.person(connection, user))
    assert found is not None
    return found


async def test_a_guest_chooses_his_password_and_agrees(browser: Browser, world: World) -> None:
    guest = await _invited(world)
    assert (guest.status, guest.password_hash, guest.consent_at) == (UserStatus.PENDING, None, None)
    link = await world.link(Kind.INVITE)
    page = await browser.get(link)
    assert page.h1 == "Добро пожаловать в EvoSync"
    assert page.value("name") == "Гость"
    token = link.partition("token=")[2]
    refused = await browser.post("/invite", {"token": token, "name": "Гость", "password": NEW})
    assert refused.errors == ["Без этого мы не можем хранить ваши данные"]
    reply = await browser.post("/invite", {"token": token, "name": "Мария", "password": NEW, "consent": "y"})
    assert reply.location == "/login"
    found = await world.again(guest)
    assert found is not None
    assert (found.status, found.name, found.consent_at) == (UserStatus.ACTIVE, "Мария", NOW)
    assert (await browser.sign_in("guest@example.com", NEW)).status == 303
    assert (await browser.post("/invite", {"token": token, "password": NEW, "consent": "y"})).status == 410


async def test_an_invitation_lasts_as_long_as_the_operator_says(browser: Browser, world: World) -> None:
    await _invited(world)
    token = await world.token(Kind.INVITE)
    world.clock.pass_by(timedelta(hours=47, minutes=59))
    assert (await browser.get(f"/invite?token={token}")).status == 200
    world.clock.pass_by(timedelta(minutes=1))
    assert (await browser.get(f"/invite?token={token}")).status == 410


async def test_an_account_with_a_phone_alone_is_invited_by_sms(world: World) -> None:
    await _invited(world, email=None, phone="+79123456789")
    assert await world.outbox() == [("invite", "+79123456789")]
