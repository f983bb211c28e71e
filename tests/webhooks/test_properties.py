"""Whatever comes: never a 5xx, and nothing changes for whoever has no right to it."""

import hmac
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from evosync.db.tables import evotor_connections, mirrors, pending_tokens, users
from evosync.web.webhooks.paths import HOOKS
from tests.webhooks.cloud import SECRET, STORE, TILL, Cloud

KEYS = st.sampled_from(
    ["userId", "userUuid", "token", "username", "password", "email", "id", "uuid", "type", "data", "items", "storeId",
     "store_id", "storeUuid", "subscriptionId", "sequenceNumber", "timestamp", "payload", "product_id", "body", "x"]
)  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20),
    st.sampled_from([TILL, "01-000000000000077", STORE, "ApplicationUninstalled", "SubscriptionTerminated"]),
)  # fmt: skip
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=15
)
CASES = st.lists(st.tuples(st.sampled_from(HOOKS), JSON | st.dictionaries(KEYS, LEAVES, max_size=6)), max_size=12)


async def state(cloud: Cloud) -> str:
    found: list[Any] = []
    async with cloud.services.database.reading() as connection:
        for table in (users, evotor_connections, pending_tokens, mirrors):
            found += (await connection.execute(select(table))).all()
    return repr(found)


async def _sent(cloud: Cloud, cases: list[Any], token: str | None, **headers: str) -> None:
    for (method, tail), body in cases:
        try:
            raw = orjson.dumps(body)
        except TypeError:  # a number or a text that no JSON holds
            raw = b"\x00"
        path = tail.replace("{store}", STORE)
        made = "sha1=" + hmac.new((SECRET if token is None else "wrong").encode(), raw, "sha1").hexdigest()
        signed: dict[str, str] = {"X-Hub-Signature": made if "Authorization" not in headers else "", **headers}
        reply = await cloud.call(path, method=method, raw=raw, token=token, **signed)
        assert reply.status < 500, (path, body, reply)
        assert reply.status == 200 or "errors" in reply.body or reply.body == {}, (path, body, reply)


async def test_any_json_with_the_secret_is_answered_and_breaks_nothing(cloud: Cloud) -> None:
    await cloud.owner()

    for cases in _drawn(25):
        await _sent(cloud, cases, None)


async def test_any_json_with_a_user_token_changes_its_own_till_alone(cloud: Cloud) -> None:
    token = await cloud.owner(email="other@example.com", till_user="01-000000000000077")
    await cloud.owner()
    account = await cloud.account()
    for cases in _drawn(25):
        await _sent(cloud, cases, token)
    assert await cloud.account() == account


async def test_any_json_without_a_right_changes_nothing(cloud: Cloud) -> None:
    await cloud.owner()
    before = await state(cloud)
    for cases in _drawn(15):
        await _sent(cloud, cases, "wrong")
        await _sent(cloud, cases, None, Authorization="")
    assert await state(cloud) == before


def _drawn(count: int) -> list[list[Any]]:
    """Examples, drawn before they are sent: the site is the same one for all of them."""
    found: list[list[Any]] = []

    @settings(
        max_examples=count, database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(CASES)
    def draw(cases: list[Any]) -> None:
        found.append(cases)

    draw()
    return found
