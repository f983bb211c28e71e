"""What admins do to people, and what they may not."""

from datetime import timedelta

import pytest

from evosync.db.accounts import UserStatus
from evosync.db.people import Person
from evosync.domain.mirror import Outcome
from evosync.words.letters import Kind
from tests.web import admin_world as backstage
from tests.web.browser import PASSWORD, Browser, Page, World
from tests.web.conftest import NewBrowser


@pytest.fixture
async def admin(world: World) -> Person:
    return await world.person("anna@example.com", role="admin", name="Анна")


@pytest.fixture
async def system(world: World) -> Person:
    return await world.person("root@example.com", role="system", name="Корень")


@pytest.fixture
async def owner(world: World) -> Person:
    return await world.person("olga@example.com", name="Ольга Круглова")


@pytest.fixture
async def desk(browser: Browser, admin: Person) -> Browser:
    """An admin at work."""
    await browser.sign_in("anna@example.com")
    return browser


@pytest.fixture
async def high(new_browser: NewBrowser, system: Person) -> Browser:
    """A system user at work."""
    browser = await new_browser()
    await browser.sign_in("root@example.com")
    return browser


def edited(**values: str) -> list[tuple[str, str]]:
    fields = {"name": "Ольга", "email": "olga@example.com", "phone": "", "language": "ru", "roles": "user", **values}
    roles = [("roles", one) for one in fields.pop("roles").split()]
    return [*fields.items(), *roles]


async def edit(browser: Browser, person: Person, **values: str) -> Page:
    return await backstage.post_many(browser, f"/admin/users/{person.id}/edit", edited(**values))


def plain(page: Page) -> str:
    """With ordinary spaces."""
    return page.text.replace("\u00a0", " ")


# the list


async def test_the_list_says_of_each_person_how_his_mirror_is_doing(desk: Browser, owner: Person, world: World) -> None:
    await backstage.shop(world, owner.id)
    await world.person("late@example.com", name="Хозтовары", status=UserStatus.PENDING)
    page = await desk.get("/admin/users")
    assert page.h1 == "Люди"
    for text in ("Ольга Круглова", "olga@example.com", "Детки-конфетки", "1 магазин", "Не подтверждён"):
        assert text in plain(page)
    assert "В ногу, кроме 1" in plain(page)
    assert 'data-l="Товары" class="r"><span>1</span>' in page.text, "those at the till, not of the last run"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=олЬГА", True),
        ("q=OLGA@", True),
        ("q=детки", True),
        ("q=club204511", True),
        ("q=8 912 345-67-89".replace(" ", "+"), True),
        ("q=100%25", False),
        ("q=_", False),
        ("q=никто", False),
        ("role=user", True),
        ("role=system", False),
        ("state=needs", False),
        ("state=suspended", False),
        ("state=nonsense", True),
        ("page=77", True),
        ("page=x", True),
    ],
)
async def test_people_are_found_by_what_one_knows_of_them(
    desk: Browser,
    owner: Person,
    world: World,
    query: str,
    found: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    await backstage.shop(world, owner.id)
    await world.change(owner, phone="+79123456789")
    page = await desk.get(f"/admin/users?{query}")
    assert page.status == 200
    assert ("Ольга Круглова" in page.text) is found


async def test_the_filters_show_whom_to_look_at(desk: Browser, owner: Person, world: World) -> None:
    await backstage.shop(world, owner.id)
    assert "Ольга" not in (await desk.get("/admin/users?state=stale")).text
    world.clock.pass_by(timedelta(days=2))
    assert "Ольга" in (await desk.get("/admin/users?state=stale")).text
    await backstage.broken(world, owner.id)
    page = await desk.get("/admin/users?state=needs")
    assert "не пускает ключ" in page.text
    assert page.text.count("Нужен владелец") == 2, "the filter, and the one who is in it"


async def test_a_long_list_has_pages(desk: Browser, world: World) -> None:
    for number in range(51):
        await world.person(f"p{number:02}@example.com", name="")
    first = await desk.get("/admin/users")
    assert "1 из 2" in first.text
    assert "/admin/users?page=2" in first.text
    second = await desk.get("/admin/users?page=2")
    assert "anna@example.com" in second.text
    assert "p50@example.com" not in second.text


# one person


async def test_the_page_of_a_person_says_how_he_is_and_shows_no_secret(
    desk: Browser, owner: Person, world: World
) -> None:
    await backstage.shop(world, owner.id)
    await backstage.broken(world, owner.id)
    await backstage.ended(world, owner.id, Outcome.FAILED, "VK 5")
    page = await desk.get(f"/admin/users/{owner.id}")
    assert page.h1 == "Ольга Круглова"
    for text in ("Лавка Ольги", "ключ …4711", "ключ …0815", "club204511", "Цена ноль", "ВКонтакте больше не пускает"):
        assert text in plain(page)
    for secret in (backstage.EVOTOR_TOKEN, backstage.VK_TOKEN, "$2b$"):
        assert secret not in page.text


@pytest.mark.parametrize("number", ["0", "999", "x", "-1", "9" * 30, "१"])
@pytest.mark.parametrize("rest", ["", "/edit", "/suspend", "/delete"])
async def test_there_is_no_page_of_nobody(desk: Browser, number: str, rest: str) -> None:
    assert (await desk.get(f"/admin/users/{number}{rest}")).status == 404


@pytest.mark.parametrize("act", ["activate", "suspend", "reset-password", "send-invite", "edit", "delete"])
async def test_nothing_is_done_to_nobody(desk: Browser, act: str) -> None:
    assert (await desk.post(f"/admin/users/999/{act}", {"name": "x"})).status == 404


@pytest.mark.parametrize("act", ["activate", "suspend", "reset-password", "send-invite", "edit", "delete"])
async def test_without_the_right_nothing_happens(
    new_browser: NewBrowser, world: World, owner: Person, act: str
) -> None:
    await world.person("other@example.com")
    stranger = await new_browser()
    assert (await stranger.post(f"/admin/users/{owner.id}/{act}", dict(edited()))).status == 401
    await stranger.sign_in("other@example.com")
    before = await backstage.belongings(world, owner.id)
    reply = await stranger.post(f"/admin/users/{owner.id}/{act}", dict(edited(name="Иной")))
    assert (reply.status, reply.h1) == (403, "Сюда нельзя")
    assert await backstage.belongings(world, owner.id) == before
    assert await world.outbox() == []


# suspending and letting back in


async def test_a_suspended_person_is_out_at_once_and_his_mirror_stops(
    desk: Browser, new_browser: NewBrowser, owner: Person, world: World
) -> None:
    his = await new_browser()
    await his.sign_in("olga@example.com")
    await backstage.shop(world, owner.id)
    reply = await desk.post(f"/admin/users/{owner.id}/suspend", {"reason": "не платит"})
    assert reply.location == f"/admin/users/{owner.id}"
    assert (await his.get("/profile")).location.startswith("/login")
    assert (await his.sign_in("olga@example.com")).h1 == "Аккаунт приостановлен"
    assert not await backstage.is_wanted(world, owner.id), "a run that goes on asks this before each write"
    assert (await backstage.trail(world))[-1][0::3] == ("suspended", {"reason": "не платит"})


async def test_suspending_twice_is_suspending_once(desk: Browser, owner: Person, world: World) -> None:
    for text in ("Аккаунт приостановлен", "Он уже приостановлен"):
        await desk.post(f"/admin/users/{owner.id}/suspend")
        assert (await desk.get("/admin/users")).toasts == [text]
    assert [entry[0] for entry in await backstage.trail(world)] == ["suspended"]


async def test_lifting_a_suspension_lets_the_person_and_his_mirror_go_on(
    desk: Browser, owner: Person, world: World
) -> None:
    await desk.post(f"/admin/users/{owner.id}/suspend")
    world.queue.nudged.clear()
    await desk.post(f"/admin/users/{owner.id}/activate")
    again = await world.again(owner)
    assert again is not None
    assert again.status is UserStatus.ACTIVE
    assert world.queue.nudged == [owner.id]
    await desk.post(f"/admin/users/{owner.id}/activate")
    assert [entry[0] for entry in await backstage.trail(world)] == ["suspended", "suspension_lifted"]


async def test_a_pending_account_can_be_activated(desk: Browser, new_browser: NewBrowser, world: World) -> None:
    person = await world.person("late@example.com", status=UserStatus.PENDING)
    await desk.post(f"/admin/users/{person.id}/activate")
    assert (await (await new_browser()).sign_in("late@example.com")).status == 303
    assert (await backstage.trail(world))[0][0] == "activated"


# links


async def test_a_link_for_a_new_password_goes_to_the_person_alone(desk: Browser, owner: Person, world: World) -> None:
    reply = await desk.post(f"/admin/users/{owner.id}/reset-password")
    assert reply.location == f"/admin/users/{owner.id}"
    assert await world.outbox() == [("reset", "olga@example.com")]
    assert world.queue.letters == 1
    token = await world.token(Kind.RESET)
    for path in (f"/admin/users/{owner.id}", "/admin/audit", "/admin/queue"):
        assert token not in (await desk.get(path)).text


async def test_only_the_newest_link_is_good(
    desk: Browser, new_browser: NewBrowser, owner: Person, world: World
) -> None:
    await desk.post(f"/admin/users/{owner.id}/reset-password")
    first = await world.token(Kind.RESET)
    await desk.post(f"/admin/users/{owner.id}/reset-password")
    his = await new_browser()
    assert (await his.post("/reset-password", {"token": first, "password": "three blue cats"})).status == 410
    second = await world.token(Kind.RESET)
    assert (await his.post("/reset-password", {"token": second, "password": "three blue cats"})).status == 303


async def test_nobody_is_flooded_with_links(desk: Browser, owner: Person) -> None:
    for _ in range(10):
        assert (await desk.post(f"/admin/users/{owner.id}/reset-password")).status == 303
    assert (await desk.post(f"/admin/users/{owner.id}/reset-password")).status == 429


async def test_somebody_without_an_address_gets_no_link(desk: Browser, world: World) -> None:
    till = await world.person(None, name="Касса")
    reply = await desk.post(f"/admin/users/{till.id}/reset-password")
    assert (reply.status, reply.errors) == (409, ["Слать некуда: у аккаунта нет адреса"])


# inviting


async def test_an_invited_person_chooses_his_password_himself(
    desk: Browser, new_browser: NewBrowser, world: World
) -> None:
    sent = {"email": "New@Example.com", "name": "Пётр", "phone": "", "language": "en", "role": "user"}
    reply = await desk.post("/admin/users", sent)
    person = await world.by_email("new@example.com")
    assert person is not None
    assert reply.location == f"/admin/users/{person.id}"
    assert (person.status, person.password_hash, person.language) == (UserStatus.PENDING, None, "en")
    assert await world.outbox() == [("invite", "new@example.com")]
    his = await new_browser("en")
    token = await world.token(Kind.INVITE)
    accepted = {"token": token, "name": "Пётр", "password": PASSWORD, "consent": "y"}
    await his.post("/invite", accepted)
    assert (await his.sign_in("new@example.com")).status == 303
    assert (await backstage.mirror(world, person.id))["run_id"] is None, "his mirror has its row"


@pytest.mark.parametrize(
    ("sent", "status", "errors"),
    [
        ({"email": "new@"}, 422, ["Введите почту вида name@example.com"]),
        ({"email": ""}, 422, ["Введите почту вида name@example.com"]),
        ({"email": "", "phone": "+79123456789"}, 422, ["Введите почту вида name@example.com"]),
        ({"email": "anna@example.com"}, 422, ["Этот адрес у другого аккаунта"]),
        ({"phone": "12"}, 422, ["Введите телефон вида +7 912 345-67-89"]),
        ({"language": "tlh"}, 422, None),
        ({"role": "system"}, 422, None),
        ({"role": "king"}, 422, None),
    ],
)
async def test_a_bad_invitation_is_refused_and_keeps_what_was_typed(
    desk: Browser, world: World, sent: dict[str, str], status: int, errors: list[str] | None
) -> None:
    whole = {"email": "new@example.com", "name": "Пётр", "phone": "", "language": "ru", "role": "user", **sent}
    reply = await desk.post("/admin/users", whole)
    assert reply.status == status
    assert errors is None or reply.errors == errors
    assert reply.value("name") == "Пётр"
    assert await world.by_email("new@example.com") is None
    assert await world.outbox() == []


async def test_an_invitation_can_be_sent_again_until_it_is_accepted(desk: Browser, owner: Person, world: World) -> None:
    await desk.post("/admin/users", {"email": "new@example.com", "language": "ru", "role": "user"})
    person = await world.by_email("new@example.com")
    assert person is not None
    first = await world.token(Kind.INVITE)
    await desk.post(f"/admin/users/{person.id}/send-invite")
    assert first != await world.token(Kind.INVITE)
    assert (await desk.get(f"/invite?token={first}")).status == 410
    reply = await desk.post(f"/admin/users/{owner.id}/send-invite")
    assert (reply.status, reply.errors) == (409, ["Пароль уже есть. Пошлите ссылку для нового"])
    await desk.post(f"/admin/users/{person.id}/suspend")
    reply = await desk.post(f"/admin/users/{person.id}/send-invite")
    assert (reply.status, reply.errors) == (409, ["Аккаунт приостановлен. Сначала верните его"])


# editing


async def test_editing_changes_the_data_and_says_what_in_the_trail(desk: Browser, owner: Person, world: World) -> None:
    reply = await edit(desk, owner, name="Ольга К.", phone="8 912 345-67-89", language="en")
    assert reply.location == f"/admin/users/{owner.id}"
    again = await world.again(owner)
    assert again is not None
    assert (again.name, again.phone, again.language) == ("Ольга К.", "+79123456789", "en")
    assert [entry[0::3] for entry in await backstage.trail(world)] == [
        ("edited", {"fields": ["language", "name", "phone"]})
    ]
    await edit(desk, owner, name="Ольга К.", phone="+79123456789", language="en")
    assert len(await backstage.trail(world)) == 1, "nothing changed"


async def test_another_address_holds_once_its_link_is_pressed_and_links_to_the_former_one_are_useless(
    desk: Browser, new_browser: NewBrowser, owner: Person, world: World
) -> None:
    await desk.post(f"/admin/users/{owner.id}/reset-password")
    reset = await world.token(Kind.RESET)
    await edit(desk, owner, email="new@example.com")
    assert "Новый адрес заработает, когда нажмут ссылку" in (await desk.get(f"/admin/users/{owner.id}")).text
    assert (await world.outbox())[-1] == ("new_address", "new@example.com")
    assert getattr(await world.again(owner), "email", None) == "olga@example.com"
    hers = await new_browser()
    token = await world.token(Kind.NEW_ADDRESS)
    assert (await hers.post("/confirm-email", {"token": token})).status in {200, 303}
    again = await world.again(owner)
    assert again is not None
    assert (again.email, again.email_confirmed_at) == ("new@example.com", world.clock.now)
    assert (await world.outbox())[-1] == ("address_changed", "olga@example.com")
    assert (await hers.post("/reset-password", {"token": reset, "password": "three blue cats"})).status == 410


async def test_of_two_new_addresses_the_later_one_counts(
    desk: Browser, new_browser: NewBrowser, owner: Person, world: World
) -> None:
    await edit(desk, owner, email="wrong@example.com")
    wrong = await world.token(Kind.NEW_ADDRESS)
    await edit(desk, owner, email="right@example.com")
    hers = await new_browser()
    assert (await hers.post("/confirm-email", {"token": wrong})).status == 410
    assert getattr(await world.again(owner), "email", None) == "olga@example.com"


async def test_an_account_that_nobody_has_opened_gets_its_letter_at_the_new_address(
    desk: Browser, new_browser: NewBrowser, world: World
) -> None:
    sent = {"name": "Инна", "email": "wrogn@example.com", "phone": "", "language": "ru", "role": "user"}
    await desk.post("/admin/users", sent)
    inna = await world.by_email("wrogn@example.com")
    assert inna is not None
    old = await world.token(Kind.INVITE)
    await edit(desk, inna, name="Инна", email="inna@example.com")
    assert getattr(await world.again(inna), "email", None) == "inna@example.com"
    assert (await world.outbox())[-1] == ("invite", "inna@example.com")
    hers = await new_browser()
    assert (await hers.get(f"/invite?token={old}")).status == 410
    assert (await hers.get(f"/invite?token={await world.token(Kind.INVITE)}")).status == 200


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"email": "anna@example.com"}, "Этот адрес у другого аккаунта"),
        ({"email": ""}, "Введите почту вида name@example.com"),
        ({"email": "x"}, "Введите почту вида name@example.com"),
        ({"phone": "12"}, "Введите телефон вида +7 912 345-67-89"),
        ({"name": "ы" * 101}, "Слишком длинно"),
        ({"roles": ""}, "Выберите хотя бы одну роль"),
        ({"language": "tlh"}, None),
    ],
)
async def test_bad_data_are_refused_beside_their_field(
    desk: Browser, owner: Person, world: World, values: dict[str, str], error: str | None
) -> None:
    before = await world.again(owner)
    reply = await edit(desk, owner, **values)
    assert reply.status == 422
    assert len(reply.errors) == 1
    assert error is None or reply.errors == [error]
    assert await world.again(owner) == before
    assert await backstage.roles(world, owner.id) == {"user"}


# rights


async def test_roles_are_given_and_taken(desk: Browser, owner: Person, world: World) -> None:
    await edit(desk, owner, roles="user admin")
    assert await backstage.roles(world, owner.id) == {"user", "admin"}
    await edit(desk, owner, roles="user")
    assert await backstage.roles(world, owner.id) == {"user"}
    changed = [entry[3] for entry in await backstage.trail(world) if entry[0] == "roles_changed"]
    assert changed == [{"given": ["admin"], "taken": []}, {"given": [], "taken": ["admin"]}]


async def test_an_admin_makes_nobody_a_system_user(desk: Browser, admin: Person, owner: Person, world: World) -> None:
    for person, email in ((owner, "olga@example.com"), (admin, "anna@example.com")):
        reply = await edit(desk, person, email=email, roles="user admin system")
        assert reply.status == 403
        assert "system" not in await backstage.roles(world, person.id)
    assert [entry[0] for entry in await backstage.trail(world)] == ["refused", "refused"]


@pytest.mark.parametrize("act", ["activate", "suspend", "reset-password", "send-invite", "edit", "delete"])
async def test_an_admin_does_nothing_to_a_system_user(desk: Browser, system: Person, world: World, act: str) -> None:
    before = await backstage.belongings(world, system.id)
    reply = await backstage.post_many(desk, f"/admin/users/{system.id}/{act}", edited(email="anna2@example.com"))
    assert (reply.status, reply.h1) == (403, "Сюда нельзя")
    after = await backstage.belongings(world, system.id)
    assert {name: rows for name, rows in after.items() if name != "audit"} == {
        name: rows for name, rows in before.items() if name != "audit"
    }
    assert [entry[0] for entry in await backstage.trail(world)] == ["refused"]
    assert await world.outbox() == []


async def test_the_page_of_a_system_user_offers_an_admin_nothing(desk: Browser, system: Person) -> None:
    page = await desk.get(f"/admin/users/{system.id}")
    assert "меняет его только системный администратор" in page.text
    assert f'action="/admin/users/{system.id}/' not in page.text
    assert (await desk.get(f"/admin/users/{system.id}/edit")).status == 403


async def test_the_last_system_user_stays_one(high: Browser, system: Person, world: World) -> None:
    reply = await edit(high, system, name="Корень", email="root@example.com", roles="admin")
    assert reply.errors == ["Последний системный администратор остаётся. Сначала дайте эту роль кому-то ещё"]
    assert await backstage.roles(world, system.id) == {"system"}
    second = await world.person("second@example.com", role="system")
    assert (await high.post(f"/admin/users/{second.id}/suspend")).status == 303
    reply = await edit(high, system, name="Корень", email="root@example.com", roles="admin")
    assert reply.status == 422, "a suspended one does not count"
    await high.post(f"/admin/users/{second.id}/activate")
    reply = await edit(high, system, name="Корень", email="root@example.com", roles="admin")
    assert reply.status == 303


@pytest.mark.parametrize("act", ["suspend", "delete"])
async def test_nobody_locks_himself_out(high: Browser, system: Person, world: World, act: str) -> None:
    reply = await high.post(f"/admin/users/{system.id}/{act}")
    assert (reply.status, reply.errors) == (
        409,
        ["Себя нельзя: попросите другого администратора или откройте профиль"],
    )
    assert await world.again(system) == system


# deleting


async def test_deleting_erases_the_account_and_everything_of_it(desk: Browser, owner: Person, world: World) -> None:
    await backstage.shop(world, owner.id)
    await desk.post(f"/admin/users/{owner.id}/reset-password")
    assert (await desk.get(f"/admin/users/{owner.id}/delete")).h1 == "Удалить аккаунт?"
    reply = await desk.post(f"/admin/users/{owner.id}/delete")
    assert reply.location == "/admin/users"
    assert not any((await backstage.belongings(world, owner.id)).values())
    assert (await backstage.trail(world))[-1][0::3] == ("account_deleted", {"number": owner.id})
    assert (await desk.post(f"/admin/users/{owner.id}/delete")).status == 404


async def test_a_deleted_person_is_out_at_once(
    desk: Browser, new_browser: NewBrowser, owner: Person, world: World
) -> None:
    his = await new_browser()
    await his.sign_in("olga@example.com")
    await desk.post(f"/admin/users/{owner.id}/delete")
    assert (await his.get("/profile")).location.startswith("/login")


# a run of somebody else
async def test_the_receipt_of_an_owners_run_is_reached_from_his_page(
    desk: Browser, owner: Person, world: World
) -> None:
    run = await backstage.shop(world, owner.id)
    path = f"/admin/users/{owner.id}/runs/{run}"
    assert f'href="{path}"' in (await desk.get(f"/admin/users/{owner.id}")).text
    page = await desk.get(path)
    assert page.status == 200
    assert f"Обновление № {run}" in plain(page)
    assert "Ольга Круглова" in page.text
    assert "3 585" in plain(page)
    assert "/sync" not in page.text.partition("<main")[2], "those are the addresses of the admin's own shop"
    assert backstage.VK_TOKEN not in page.text


async def test_a_run_is_found_below_its_owner_alone(desk: Browser, admin: Person, owner: Person, world: World) -> None:
    run = await backstage.shop(world, owner.id)
    for path in (f"{admin.id}/runs/{run}", f"{owner.id}/runs/{run + 1}", f"{owner.id}/runs/x", f"9999/runs/{run}"):
        assert (await desk.get(f"/admin/users/{path}")).status == 404


async def test_an_owner_sees_no_receipt_of_another(new_browser: NewBrowser, owner: Person, world: World) -> None:
    run = await backstage.shop(world, owner.id)
    await world.person("boris@example.com")
    boris = await new_browser()
    await boris.sign_in("boris@example.com")
    assert (await boris.get(f"/admin/users/{owner.id}/runs/{run}")).status == 403
    assert (await boris.get(f"/sync/runs/{run}")).status == 404
