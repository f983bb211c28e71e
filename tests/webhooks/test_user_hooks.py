"""create, verify and token: which account a till belongs to."""

import asyncio
import hmac
import re

import pytest
from aiohttp.test_utils import TestClient, TestServer

from evosync.db import connections
from evosync.db.accounts import UserStatus
from evosync.db.ledger import DbLedger
from evosync.domain.catalog import Store
from evosync.domain.errors import Rejected, Side
from evosync.domain.ids import StoreId, UserId
from evosync.domain.mirror import TillChanges
from evosync.web.app import make_site
from evosync.web.services import Services, TillFound
from evosync.web.webhooks.paths import HOOKS
from evosync.web.webhooks.routes import Webhooks
from evosync.words.letters import Kind
from tests.web.browser import World
from tests.webhooks.cloud import CLOUD_TOKEN, EARLIER, SECRET, TILL, Cloud, basic

PASSWORD = "correct horse 1"
BY_SECRET = re.compile("/(user|installation|subscription|hooks)/")


async def test_create_answers_the_user_and_a_token_that_fits_a_header(cloud: Cloud) -> None:
    reply = await cloud.call("/user/create", {"userId": TILL})
    assert reply.status == 200
    assert reply.body["userId"] == TILL
    assert re.fullmatch(r"[A-Za-z0-9_=-]{20,128}", reply.body["token"])


async def test_the_same_till_again_gets_the_same_account_and_the_same_token(cloud: Cloud, world: World) -> None:
    first = await cloud.create(email="new@example.com")
    account = await cloud.account()
    again = await cloud.create(email="new@example.com")
    assert first == again
    assert await cloud.account() == account
    assert await world.outbox() == [("invite", "new@example.com")]


@pytest.mark.parametrize("prefix", ["", "/api/v1", "/api/v2"])
async def test_create_is_found_below_the_prefixes_of_older_portals(cloud: Cloud, prefix: str) -> None:
    assert (await cloud.call(f"{prefix}/user/create", {"userId": TILL})).status == 200


async def test_both_spellings_of_the_user_are_read(cloud: Cloud) -> None:
    token = await cloud.create()
    reply = await cloud.call("/user/create", {"userUuid": TILL})
    assert reply.body == {"userId": TILL, "token": token}


@pytest.mark.parametrize("header", [f"Bearer {SECRET}", f"Bearer {EARLIER}", basic(SECRET), f"bearer {SECRET}"])
async def test_the_secret_is_known_as_bearer_as_basic_and_during_a_rotation(cloud: Cloud, header: str) -> None:
    assert (await cloud.call("/user/create", {"userId": TILL}, Authorization=header)).status == 200


async def test_a_basic_pair_is_read_in_either_alphabet(cloud: Cloud) -> None:
    # A name by which the standard alphabet's two odd characters come about.
    header = basic(SECRET, "~~~???>>>")
    assert {"+", "/"} & set(header)
    for shown in (header, header.replace("+", "-").replace("/", "_").rstrip("=")):
        assert (await cloud.call("/user/create", {"userId": TILL}, Authorization=shown)).status == 200


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path in HOOKS if BY_SECRET.match(path)])
@pytest.mark.parametrize("secrets", [[], [""]])
async def test_with_no_secret_set_everybody_is_told_that_his_is_wrong(
    services: Services, method: str, path: str, secrets: list[str]
) -> None:
    hooks = Webhooks(services, secrets)
    app = make_site(services, routes=hooks.routes)
    app.cleanup_ctx.append(hooks.while_running)
    async with TestClient(TestServer(app)) as client:
        for shown in ("Bearer ", f"Bearer {SECRET}", basic(""), basic(SECRET), ""):
            headers = {"Authorization": shown, "X-Hub-Signature": "sha1=" + hmac.new(b"", b"{}", "sha1").hexdigest()}
            reply = await client.request(method, path, data=b"{}", headers=headers)
            assert (reply.status, await reply.json()) == (401, {"errors": [{"code": 1001}]})


@pytest.mark.parametrize("path", ["/user/create", "/user/verify", "/user/token", "/installation/event"])
async def test_a_wrong_secret_is_told_so_and_changes_nothing(cloud: Cloud, path: str) -> None:
    body = {"userId": TILL, "token": CLOUD_TOKEN, "username": "a@example.com", "password": "x"}
    wrong = ["", "Bearer", "Bearer wrong", f"Digest {SECRET}", SECRET, basic("wrong"), "Basic !!!", basic("", SECRET)]
    for header in wrong:
        assert (await cloud.call(path, body, Authorization=header)).code == (401, 1001), header
    assert await cloud.account() is None
    assert await cloud.log() == []


async def test_a_new_address_makes_a_pending_account_with_a_way_to_set_a_password(cloud: Cloud, world: World) -> None:
    await cloud.create(email=" New@Example.com ")
    person = await world.by_email("new@example.com")
    assert person is not None
    assert person.status is UserStatus.PENDING
    assert (await world.link(Kind.INVITE)).startswith("/invite?token=")
    assert world.queue.letters == 1


async def test_a_known_address_is_not_enough_to_attach_a_till(cloud: Cloud, world: World) -> None:
    await world.person("victim@example.com")
    assert (await cloud.call("/user/create", {"userId": TILL, "email": "victim@example.com"})).code == (409, 2005)
    assert await cloud.account() is None
    assert await world.outbox() == []


async def test_a_known_address_is_linked_where_its_connected_till_reports_this_user(
    cloud: Cloud, world: World, services: Services
) -> None:
    person = await world.person("owner@example.com")
    await connect_by_hand(services, person.id)
    world.clouds.till = TillFound(("Лавка",), till_user=TILL)
    assert (await cloud.call("/user/create", {"userId": TILL, "email": "owner@example.com"})).status == 200
    account = await cloud.account()
    assert account is not None
    assert account.user == person.id


@pytest.mark.parametrize("answer", ["another", "nobody", "refused"])
async def test_a_known_address_is_not_linked_where_its_till_reports_otherwise(
    cloud: Cloud, world: World, services: Services, answer: str
) -> None:
    person = await world.person("owner@example.com")
    await connect_by_hand(services, person.id)
    world.clouds.till = TillFound(("Лавка",), till_user="01-000000000000099" if answer == "another" else "")
    world.clouds.till_error = Rejected(Side.EVOTOR, "Evotor 401") if answer == "refused" else None
    assert (await cloud.call("/user/create", {"userId": TILL, "email": "owner@example.com"})).code == (409, 2005)
    assert await cloud.account() is None


async def test_creates_at_once_make_one_account(cloud: Cloud) -> None:
    tokens = await asyncio.gather(*(cloud.create(email="new@example.com") for _ in range(8)))
    assert len(set(tokens)) == 1


async def test_verify_links_the_till_of_the_account_whose_password_was_typed(cloud: Cloud, world: World) -> None:
    person = await world.person("owner@example.com")
    reply = await cloud.call(
        "/user/verify", {"userId": TILL, "username": "Owner@example.com", "password": PASSWORD, "more": 1}
    )
    assert reply.status == 200
    assert reply.body == {"userId": TILL, "hasBilling": False, "token": reply.body["token"]}
    account = await cloud.account()
    assert account is not None
    assert account.user == person.id


async def test_verify_again_gives_the_same_token(cloud: Cloud) -> None:
    first = await cloud.owner()
    reply = await cloud.call("/user/verify", {"userId": TILL, "username": "owner@example.com", "password": PASSWORD})
    assert reply.body["token"] == first


@pytest.mark.parametrize(("name", "password"), [("owner@example.com", "wrong"), ("ghost@example.com", PASSWORD)])
async def test_verify_refuses_wrong_data_alike(cloud: Cloud, world: World, name: str, password: str) -> None:
    await world.person("owner@example.com")
    reply = await cloud.call("/user/verify", {"userId": TILL, "username": name, "password": password})
    assert reply.code == (401, 1006)
    assert reply.body == {"errors": [{"code": 1006}]}


@pytest.mark.parametrize("status", [UserStatus.PENDING, UserStatus.SUSPENDED])
async def test_verify_lets_in_whom_the_login_page_lets_in(cloud: Cloud, world: World, status: UserStatus) -> None:
    await world.person("owner@example.com", status=status)
    body = {"userId": TILL, "username": "owner@example.com", "password": PASSWORD}
    assert (await cloud.call("/user/verify", body)).code == (401, 1006)
    assert await cloud.account() is None


async def test_verify_is_throttled_as_the_login_page_is(cloud: Cloud, world: World) -> None:
    await world.person("owner@example.com")
    body = {"userId": TILL, "username": "owner@example.com"}
    for _ in range(8):
        assert (await cloud.call("/user/verify", {**body, "password": "wrong"})).code == (401, 1006)
    assert (await cloud.call("/user/verify", {**body, "password": PASSWORD})).code == (401, 1006)
    assert await cloud.account() is None


async def test_verify_does_not_take_a_till_from_another_account(cloud: Cloud, world: World) -> None:
    await cloud.owner()
    await world.person("second@example.com")
    body = {"userId": TILL, "username": "second@example.com", "password": PASSWORD}
    before = await cloud.account()
    assert (await cloud.call("/user/verify", body)).code == (409, 2004)
    assert await cloud.account() == before


async def test_a_till_that_named_itself_when_it_was_read_is_not_given_to_another_account(
    cloud: Cloud, world: World, services: Services
) -> None:
    person = await world.person("owner@example.com")
    await connect_by_hand(services, person.id)
    stores = TillChanges(stores=(Store(StoreId("s"), "Лавка", till_user=TILL),))
    await DbLedger(services.database, sealer=services.sealer).save_till(person.id, stores, at=services.clock())
    await world.person("second@example.com")
    body = {"userId": TILL, "username": "second@example.com", "password": PASSWORD}
    assert (await cloud.call("/user/verify", body)).code == (409, 2004)
    assert (await cloud.call("/user/create", {"userId": TILL, "email": "second@example.com"})).status == 200
    account = await cloud.account()
    assert account is not None
    assert account.user == person.id
    refused = (await cloud.log())[0]
    assert (refused["kind"], refused["state"], refused["code"]) == ("verify", "refused", 2004)
    assert refused["user_id"] != person.id, "it stands with whom it was about"


async def test_a_token_that_another_owner_pasted_is_refused_from_the_cloud_too(
    cloud: Cloud, world: World, services: Services
) -> None:
    person = await world.person("owner@example.com")
    await connect_by_hand(services, person.id)
    await cloud.create()
    body = {"userId": TILL, "token": "a-pasted-token-of-the-cloud"}
    assert (await cloud.call("/user/token", body)).code == (409, 2004)
    assert await cloud.cloud_token() is None


async def test_verify_takes_over_what_the_cloud_made_and_nobody_can_sign_in_to(cloud: Cloud, world: World) -> None:
    token = await cloud.create()
    await cloud.call("/user/token", {"userId": TILL, "token": CLOUD_TOKEN})
    person = await world.person("owner@example.com")
    reply = await cloud.call("/user/verify", {"userId": TILL, "username": "owner@example.com", "password": PASSWORD})
    assert reply.status == 200
    assert reply.body["token"] == token
    account = await cloud.account()
    assert account is not None
    assert account.user == person.id
    assert await cloud.cloud_token() == CLOUD_TOKEN


async def test_verify_does_not_give_an_account_with_a_till_another_one(cloud: Cloud) -> None:
    await cloud.owner()
    body = {"userId": "01-000000000000077", "username": "owner@example.com", "password": PASSWORD}
    assert (await cloud.call("/user/verify", body)).code == (409, 2005)
    assert await cloud.cloud_token() == CLOUD_TOKEN


async def test_the_last_cloud_token_wins_and_a_run_is_due_at_once(cloud: Cloud, world: World) -> None:
    await cloud.owner()
    account = await cloud.account()
    assert account is not None
    assert (await cloud.call("/user/token", {"userId": TILL, "token": "another-token-of-the-cloud"})).status == 200
    assert await cloud.cloud_token() == "another-token-of-the-cloud"
    assert await cloud.wish() == ("full", ["connected"])
    assert world.queue.nudged == [account.user]


async def test_the_token_that_is_in_use_changes_nothing(cloud: Cloud, world: World) -> None:
    await cloud.owner()
    assert (await cloud.call("/user/token", {"userId": TILL, "token": CLOUD_TOKEN})).status == 200
    assert await cloud.wish() == (None, [])
    assert world.queue.nudged == []


@pytest.mark.parametrize("first", ["create", "verify"])
async def test_a_token_that_comes_before_its_account_is_kept_and_used(cloud: Cloud, world: World, first: str) -> None:
    for token in ("an-older-token-of-the-cloud", CLOUD_TOKEN):
        assert (await cloud.call("/user/token", {"userUuid": TILL, "token": token})).status == 200
    assert await cloud.account() is None
    await world.person("owner@example.com")
    if first == "create":
        await cloud.create()
    else:
        await cloud.call("/user/verify", {"userId": TILL, "username": "owner@example.com", "password": PASSWORD})
    assert await cloud.cloud_token() == CLOUD_TOKEN
    assert await cloud.wish() == ("full", ["connected"])


async def test_no_secret_is_stored_in_the_clear_or_logged(
    cloud: Cloud, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await cloud.call("/user/token", {"userId": "01-000000000000055", "token": "a-token-that-waits-for-its-account"})
    token = await cloud.owner()
    await cloud.call(
        "/user/verify", {"userId": TILL, "username": "owner@example.com", "password": "some-typed-password"}
    )
    kept = await cloud.everything()
    for secret in (token, CLOUD_TOKEN, SECRET, "a-token-that-waits-for-its-account", "some-typed-password", PASSWORD):
        assert secret not in kept
        assert secret not in caplog.text


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/user/create", {}, 2002),
        ("/user/create", {"userId": "not-an-id"}, 2003),
        ("/user/create", {"userId": 7}, 2003),
        ("/user/create", [], 2001),
        ("/user/create", "text", 2001),
        ("/user/verify", {"userId": TILL, "password": "x"}, 2002),
        ("/user/verify", {"userId": TILL, "username": "a"}, 2002),
        ("/user/verify", {"userId": TILL, "username": "a", "password": ["x"]}, 2003),
        ("/user/token", {"userId": TILL}, 2002),
        ("/user/token", {"userId": TILL, "token": 1}, 2003),
        ("/user/token", {"userId": TILL, "token": "line\nbreak"}, 2003),
        ("/user/token", {"userId": TILL, "token": "x" * 5000}, 2003),
    ],
)
async def test_what_is_missing_or_wrong_has_its_code(cloud: Cloud, path: str, body: object, code: int) -> None:
    assert (await cloud.call(path, body)).code == (400, code)
    assert await cloud.account() is None


@pytest.mark.parametrize("raw", [b"", b'{"userId": ', b"\xff\xfe", b"[" * 100_000, b"NaN"])
async def test_what_is_no_json_has_its_code(cloud: Cloud, raw: bytes) -> None:
    assert (await cloud.call("/user/create", raw=raw)).code in {(400, 2001), (413, 2001)}


async def test_a_body_over_the_size_is_refused(cloud: Cloud) -> None:
    assert (await cloud.call("/user/create", {"userId": TILL, "more": "x" * 100_000})).code == (413, 2001)


async def connect_by_hand(services: Services, user: UserId) -> None:
    async with services.database.writing() as connection:
        await connections.save_evotor(
            connection, user, "a-pasted-token-of-the-cloud", till_user=None, sealer=services.sealer, at=services.clock()
        )
