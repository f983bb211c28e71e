"""Making an account and confirming its address."""

from datetime import timedelta
from unittest.mock import ANY

import pytest

from evosync.db.accounts import UserStatus
from evosync.words.letters import Kind
from tests.web.browser import NOW, PASSWORD, Browser, World

GOOD = {"name": "Анна", "email": "anna@example.com", "password": "three blue cats", "consent": "y"}


async def test_a_new_account_waits_until_its_address_is_confirmed(browser: Browser, world: World) -> None:
    reply = await browser.post("/register", GOOD)
    assert (reply.status, reply.location) == (303, "/resend-confirm?sent=1")
    person = await world.by_email("anna@example.com")
    assert person is not None
    assert (person.status, person.name, person.consent_at) == (UserStatus.PENDING, "Анна", NOW)
    assert person.password_hash is not None
    assert "three" not in person.password_hash
    assert await world.outbox() == [("confirm", "anna@example.com")]
    assert world.queue.letters == 1
    assert (await browser.sign_in("anna@example.com", "three blue cats")).status == 403


async def test_the_link_shows_a_button_and_only_the_press_confirms(browser: Browser, world: World) -> None:
    await browser.post("/register", GOOD)
    link = await world.link(Kind.CONFIRM)
    for _ in range(3):
        assert (await browser.get(link)).h1 == "Подтвердите почту"
    assert (await world.by_email("anna@example.com")).status is UserStatus.PENDING  # type: ignore[union-attr]  # he is there
    reply = await browser.post("/confirm-email", {"token": link.partition("token=")[2]})
    assert reply.location == "/login"
    assert (await browser.get("/login")).toasts == ["Почта подтверждена"]
    assert (await browser.sign_in("anna@example.com", "three blue cats")).location == "/profile"


async def test_a_link_works_once(browser: Browser, world: World) -> None:
    await browser.post("/register", GOOD)
    token = await world.token(Kind.CONFIRM)
    assert (await browser.post("/confirm-email", {"token": token})).status == 303
    again = await browser.post("/confirm-email", {"token": token})
    assert (again.status, again.h1) == (410, "Ссылка больше не работает")
    assert (await browser.get(f"/confirm-email?token={token}")).status == 410


async def test_a_link_that_is_too_old_confirms_nothing(browser: Browser, world: World) -> None:
    await browser.post("/register", GOOD)
    token = await world.token(Kind.CONFIRM)
    world.clock.pass_by(timedelta(hours=48))
    assert (await browser.post("/confirm-email", {"token": token})).status == 410
    assert (await world.by_email("anna@example.com")).status is UserStatus.PENDING  # type: ignore[union-attr]  # he is there


@pytest.mark.parametrize("token", ["", "x", "ы" * 43, "A" * 5000, "\x00"])
async def test_a_token_that_somebody_made_up_opens_nothing(browser: Browser, token: str) -> None:
    assert (await browser.post("/confirm-email", {"token": token})).status == 410
    assert (await browser.post("/reset-password", {"token": token, "password": "three blue cats"})).status == 410
    assert (await browser.post("/invite", {"token": token, "password": "three blue cats"})).status == 410


async def test_the_link_of_one_purpose_does_not_serve_another(browser: Browser, world: World) -> None:
    await browser.post("/register", GOOD)
    token = await world.token(Kind.CONFIRM)
    assert (await browser.post("/reset-password", {"token": token, "password": "four red dogs"})).status == 410
    assert (await browser.post("/confirm-email", {"token": token})).status == 303


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("email", "", "Введите почту вида name@example.com"),
        ("email", "anna", "Введите почту вида name@example.com"),
        ("email", "anna@", "Введите почту вида name@example.com"),
        ("password", "", "Пароль от 10 знаков, не из частых"),
        ("password", "short", "Пароль от 10 знаков, не из частых"),
        ("password", "qwertyuiop", "Пароль от 10 знаков, не из частых"),
        ("password", "1234567890", "Пароль от 10 знаков, не из частых"),
        ("password", "Password123!", "Пароль от 10 знаков, не из частых"),
        ("password", "йцукенгшщз1", "Пароль от 10 знаков, не из частых"),
        ("password", "aaaaaaaaaaaa", "Пароль от 10 знаков, не из частых"),
        ("password", "anna@example.com", "Пароль от 10 знаков, не из частых"),
        ("password", "ж" * 201, "Не больше 200 знаков"),
        ("consent", "", "Без этого мы не можем хранить ваши данные"),
        ("name", "ы" * 101, "Слишком длинно"),
    ],
)
async def test_what_is_wrong_stands_beside_the_field_and_the_rest_is_kept(
    browser: Browser, world: World, field: str, value: str, message: str
) -> None:
    sent = {**GOOD, field: value}
    if not value and field == "consent":
        del sent["consent"]
    reply = await browser.post("/register", sent)
    assert (reply.status, reply.errors) == (422, [message])
    assert f'id="{field}-error"' in reply.text
    if field != "name":
        assert reply.value("name") == "Анна"
    assert reply.value("password") == "", "a password never comes back"
    assert await world.outbox() == []


async def test_it_says_so_in_english_too(browser: Browser) -> None:
    browser.headers["Accept-Language"] = "en-GB,en;q=0.9,ru;q=0.1"
    reply = await browser.post("/register", {**GOOD, "password": "short"})
    assert reply.errors == ["10 characters or more, not a common one"]
    assert 'lang="en"' in reply.text


async def test_an_address_that_has_an_account_gets_the_same_answer_and_a_letter_that_says_so(
    browser: Browser, world: World
) -> None:
    person = await world.person("anna@example.com")
    reply = await browser.post("/register", GOOD)
    assert (reply.status, reply.location) == (303, "/resend-confirm?sent=1")
    assert await world.outbox() == [("have_account", "anna@example.com")]
    unchanged = await world.again(person)
    assert unchanged == person


async def test_a_suspended_account_hears_nothing(browser: Browser, world: World) -> None:
    await world.person("anna@example.com", status=UserStatus.SUSPENDED)
    assert (await browser.post("/register", GOOD)).location == "/resend-confirm?sent=1"
    assert await world.outbox() == []


async def test_whoever_registers_another_s_address_first_does_not_choose_his_password(
    browser: Browser, world: World
) -> None:
    await browser.post("/register", {**GOOD, "password": "password of a stranger"})
    await browser.post("/register", GOOD)
    await browser.post("/confirm-email", {"token": await world.token(Kind.CONFIRM)})
    assert (await browser.sign_in("anna@example.com", "password of a stranger")).status == 422
    assert (await browser.sign_in("anna@example.com", "three blue cats")).status == 303


async def test_a_second_letter_can_be_asked_for(browser: Browser, world: World) -> None:
    await browser.post("/register", GOOD)
    reply = await browser.post("/resend-confirm", {"email": "Anna@example.com"})
    assert reply.location == "/resend-confirm?sent=1"
    assert await world.outbox() == [("confirm", "anna@example.com")] * 2
    await browser.post("/confirm-email", {"token": await world.token(Kind.CONFIRM)})
    assert (await browser.sign_in("anna@example.com", "three blue cats")).status == 303


async def test_asking_for_a_letter_tells_nothing_about_an_address(browser: Browser, world: World) -> None:
    await world.person("active@example.com")
    for address in ("active@example.com", "nobody@example.com"):
        reply = await browser.post("/resend-confirm", {"email": address})
        assert (reply.status, reply.location) == (303, "/resend-confirm?sent=1")
    assert await world.outbox() == []


async def test_nobody_s_mailbox_can_be_filled(browser: Browser, world: World) -> None:
    for _ in range(5):
        await browser.post("/register", GOOD)
    reply = await browser.post("/register", GOOD)
    assert (reply.status, reply.h1) == (429, "Слишком быстро")
    assert int(reply.response.headers["Retry-After"]) > 60
    assert len(await world.outbox()) == 5


async def test_a_signed_in_person_has_an_account_already(browser: Browser, world: World) -> None:
    await world.person()
    await browser.sign_in("owner@example.com", PASSWORD)
    assert (await browser.get("/register")).location == "/profile"


async def test_both_texts_of_the_site_are_linked_where_consent_is_given(browser: Browser) -> None:
    text = (await browser.get("/register")).text
    assert '<a href="/privacy" target="_blank">' in text
    assert '<a href="/terms" target="_blank">' in text
    for path in ("/privacy", "/terms", "/promises"):
        page = await browser.get(path)
        assert (page.status, page.h1) == (200, ANY)
        assert "{" not in page.text.partition("<main")[2], "a value was not filled in"
