"""Signing in and out."""

import asyncio
from datetime import timedelta

import pytest

from evosync.db.accounts import UserStatus
from tests.web.browser import Browser, World


async def test_the_owner_signs_in_and_lands_on_his_profile(browser: Browser, world: World) -> None:
    await world.person()
    reply = await browser.sign_in("owner@example.com")
    assert (reply.status, reply.location) == (303, "/profile")
    assert (await browser.get("/profile")).h1 == "Владелец лавки"


async def test_the_case_of_the_address_and_spaces_do_not_matter(browser: Browser, world: World) -> None:
    await world.person()
    assert (await browser.sign_in(" Owner@Example.COM ")).status == 303


async def test_he_goes_on_to_the_page_that_sent_him_to_sign_in(browser: Browser, world: World) -> None:
    await world.person()
    sent = await browser.get("/profile/edit")
    assert sent.location == "/login?next=/profile/edit"
    reply = await browser.post(sent.location, {"email": "owner@example.com", "password": "correct horse 1"})
    assert reply.location == "/profile/edit"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "\\\\evil"]
)
async def test_no_address_leads_out_of_the_site(browser: Browser, world: World, elsewhere: str) -> None:
    await world.person()
    reply = await browser.client.post(
        "/login",
        params={"next": elsewhere},
        data={
            "csrf_token": (await browser.get("/login")).token,
            "email": "owner@example.com",
            "password": "correct horse 1",
        },
        allow_redirects=False,
    )
    assert reply.headers["Location"] == "/profile"


@pytest.mark.parametrize("email", ["owner@example.com", "nobody@example.com"])
async def test_a_wrong_password_and_an_unknown_address_look_the_same(
    browser: Browser, world: World, email: str
) -> None:
    await world.person()
    reply = await browser.sign_in(email, "wrong horse 22")
    assert reply.status == 422
    assert reply.errors == ["Почта или пароль не подошли. Проверьте раскладку"]
    assert reply.value("email") == email, "what was typed stays"
    assert "wrong horse 22" not in reply.text, "but for the password"


async def test_empty_fields_are_named_beside_the_field(browser: Browser) -> None:
    reply = await browser.post("/login", {"email": "", "password": ""})
    assert reply.errors == ["Введите почту вида name@example.com", "Введите пароль"]
    assert 'aria-describedby="email-error"' in reply.text


async def test_a_pending_account_is_told_so_only_with_the_right_password(browser: Browser, world: World) -> None:
    await world.person(status=UserStatus.PENDING)
    assert "Сначала подтвердите почту" in (await browser.sign_in("owner@example.com")).text
    assert "Сначала подтвердите почту" not in (await browser.sign_in("owner@example.com", "wrong horse 22")).text
    assert (await browser.get("/profile")).status == 303


async def test_a_suspended_account_cannot_sign_in(browser: Browser, world: World) -> None:
    await world.person(status=UserStatus.SUSPENDED)
    reply = await browser.sign_in("owner@example.com")
    assert (reply.status, reply.h1) == (403, "Аккаунт приостановлен")
    assert (await browser.get("/profile")).status == 303


async def test_a_person_suspended_while_signed_in_is_out_at_once(browser: Browser, world: World) -> None:
    person = await world.person()
    await browser.sign_in("owner@example.com")
    await world.change(person, status="suspended")
    assert (await browser.get("/profile")).h1 == "Аккаунт приостановлен"
    await world.change(person, status="active")
    assert (await browser.get("/profile")).status == 303, "the session is over for good"


async def test_the_session_has_a_new_key_after_signing_in(browser: Browser, world: World) -> None:
    await world.person()
    await browser.get("/login")
    before = browser.cookie
    await browser.sign_in("owner@example.com")
    after = browser.cookie
    assert before
    assert after != before
    assert not await world.redis.exists(f"evosync_{before}")


async def test_a_key_that_somebody_made_up_is_not_taken_over(browser: Browser, world: World) -> None:
    await world.person()
    browser.set_cookie("chosen-by-a-stranger")
    await browser.sign_in("owner@example.com")
    assert browser.cookie != "chosen-by-a-stranger"


async def test_the_cookie_is_for_the_server_alone(browser: Browser) -> None:
    cookie = (await browser.get("/login")).response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


async def test_signing_out_ends_the_session_on_the_server(browser: Browser, world: World) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    key = browser.cookie
    reply = await browser.post("/logout")
    assert reply.location == "/login"
    browser.set_cookie(key)
    assert (await browser.get("/profile")).status == 303


async def test_a_link_from_elsewhere_signs_nobody_out(browser: Browser, world: World) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    assert (await browser.get("/logout")).h1 == "Выйти из EvoSync?"
    assert (await browser.get("/profile")).status == 200


async def test_guessing_is_slowed_down_for_one_account_from_one_address(browser: Browser, world: World) -> None:
    await world.person()
    for _ in range(8):
        assert (await browser.sign_in("owner@example.com", "wrong horse 22")).status == 422
    reply = await browser.sign_in("owner@example.com")
    assert reply.status == 429
    assert reply.errors[0].startswith("Не так быстро: попробуйте через ")
    assert (await browser.sign_in("other@example.com")).status == 422, "others may go on"


async def test_guessing_at_an_account_that_does_not_exist_is_slowed_down_just_so(browser: Browser) -> None:
    for _ in range(8):
        await browser.sign_in("nobody@example.com", "wrong horse 22")
    assert (await browser.sign_in("nobody@example.com", "wrong horse 22")).status == 429


async def test_a_session_that_rests_for_two_weeks_is_over(browser: Browser, world: World) -> None:
    person = await world.person()
    await browser.sign_in("owner@example.com")
    assert await world.redis.ttl(f"evosync_{browser.cookie}") == 14 * 86_400
    assert await world.redis.ttl(f"evosync:sign-ins:{person.id}") == 14 * 86_400


async def test_using_the_site_keeps_the_session_alive(browser: Browser, world: World) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    await world.redis.expire(f"evosync_{browser.cookie}", 100)
    world.clock.pass_by(timedelta(minutes=10))
    await browser.get("/profile")
    assert await world.redis.ttl(f"evosync_{browser.cookie}") > 86_400


async def test_nobody_keeps_a_session_that_was_ended_while_his_request_was_under_way(
    browser: Browser, world: World
) -> None:
    person = await world.person()
    await browser.sign_in("owner@example.com")
    key = f"evosync_{browser.cookie}"
    held = await world.redis.get(key)
    await world.redis.delete(f"evosync:sign-ins:{person.id}")
    await world.redis.set(key, held)
    assert (await browser.get("/profile")).status == 303


async def test_the_forms_of_all_pages_that_are_opened_at_once_after_signing_in_are_good(
    browser: Browser, world: World
) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    pages = await asyncio.gather(*(browser.get("/profile") for _ in range(6)))
    answers = [await browser.post("/profile/edit", {"name": "Лавка"}, token=page.token) for page in pages]
    assert [answer.status for answer in answers if answer.status == 403] == []
