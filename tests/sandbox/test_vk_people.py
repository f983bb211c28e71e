"""Tokens, rights and the connection test: VK FACTS 4, 5, 9."""

import aiohttp

from tests.sandbox.cloud import GROUP, TOKEN, Cloud


async def test_the_harmless_calls_of_a_connection_test_tell_who_and_what(cloud: Cloud) -> None:
    me = (await cloud.ok("users.get"))[0]
    assert me["first_name"] == "Анна"
    mask = await cloud.ok("account.getAppPermissions")
    assert mask & 134_217_728
    assert mask & 4
    assert mask & 262_144
    seen = await cloud.ok("groups.getById", group_id=GROUP, fields="market,is_admin,admin_level,deactivated")
    group = seen["groups"][0]
    assert seen["profiles"] == []
    assert (group["is_admin"], group["admin_level"]) == (1, 3)
    assert (group["market"]["enabled"], group["market"]["currency"]["id"]) == (1, 643)
    assert "deactivated" not in group


async def test_a_community_is_found_by_its_name_too_and_an_unknown_one_is_refused(cloud: Cloud) -> None:
    assert (await cloud.ok("groups.getById", group_id=f"club{GROUP}"))["groups"][0]["id"] == GROUP
    assert len((await cloud.ok("groups.getById", group_ids=f"{GROUP},5"))["groups"]) == 1
    assert await cloud.code("groups.getById", group_id=5) == 100


async def test_groups_are_listed_by_the_level_asked_for(cloud: Cloud) -> None:
    cloud.sandbox.add_community(78, "Чужая, я редактор", TOKEN, level=2)
    cloud.sandbox.add_community(79, "Чужая, я модератор", TOKEN, level=1)
    assert (await cloud.ok("groups.get", filter="admin"))["items"] == [GROUP]
    assert (await cloud.ok("groups.get", filter="editor"))["items"] == [GROUP, 78]
    whole = await cloud.ok("groups.get", filter="editor", extended=1, fields="market")
    assert [row["market"]["enabled"] for row in whole["items"]] == [1, 1]
    assert await cloud.code("market.addAlbum", owner_id=-79, title="Хлеб") == 205


async def test_a_token_without_the_scope_a_community_key_and_a_stranger_are_told_apart(cloud: Cloud) -> None:
    cloud.sandbox.add_person("no-market", scopes=("groups",))
    cloud.sandbox.add_person("key", kind="community")
    assert await cloud.code("market.get", "no-market", owner_id=-GROUP) == 15
    assert await cloud.code("market.get", "key", owner_id=-GROUP) == 27
    assert await cloud.ok("account.getAppPermissions", "no-market") == 262_144


async def test_a_missing_unknown_revoked_or_old_token_is_error_5(cloud: Cloud) -> None:
    cloud.sandbox.add_person("old", expires=-1)
    cloud.sandbox.add_person("revoked")
    cloud.sandbox.revoke("revoked")
    for token in (None, "nobody's", "old", "revoked"):
        assert await cloud.code("users.get", token) == 5


async def test_a_token_works_in_the_body_but_not_in_the_address(cloud: Cloud) -> None:
    assert await cloud.ok("users.get", None, access_token=TOKEN)
    url = f"{cloud.running.vk_url}/users.get"
    async with cloud.session.post(url, params={"access_token": TOKEN, "v": "5.199"}) as reply:
        assert (await reply.json())["error"]["error_code"] == 5


async def test_the_version_is_needed_and_methods_are_case_sensitive(cloud: Cloud) -> None:
    assert await cloud.code("users.get", v="") == 8
    assert await cloud.code("users.get", v="5.80") == 8
    assert await cloud.code("market.ADD") == 3
    assert await cloud.code("photos.getMarketUploadServer", group_id=GROUP) == 3


async def test_only_posted_forms_are_read(cloud: Cloud) -> None:
    url, headers = f"{cloud.running.vk_url}/users.get", {"Authorization": f"Bearer {TOKEN}"}
    async with cloud.session.post(url, json={"v": "5.199"}, headers=headers) as reply:
        assert (await reply.json())["error"]["error_code"] == 8
    async with cloud.session.get(url, params={"v": "5.199"}, headers=headers) as reply:
        assert (await reply.json())["error"]["error_code"] == 8
    async with cloud.session.get(url, params={"code": "x" * 3000}, headers=headers) as reply:
        assert reply.status == 414
    form = aiohttp.FormData({"v": "5.199"}, default_to_multipart=True)
    async with cloud.session.post(url, data=form, headers=headers) as reply:
        assert "response" in await reply.json()


async def test_a_refusal_echoes_what_was_sent(cloud: Cloud) -> None:
    error = (await cloud.vk("market.add", owner_id=-GROUP, name="Чай"))["error"]
    assert {"key": "name", "value": "Чай"} in error["request_params"]
    assert {"key": "method", "value": "market.add"} in error["request_params"]


async def test_a_blocked_community_says_so_and_refuses(cloud: Cloud) -> None:
    cloud.sandbox.communities[GROUP].deactivated = "banned"
    assert (await cloud.ok("groups.getById", group_id=GROUP))["groups"][0]["deactivated"] == "banned"
    assert await cloud.code("market.get", owner_id=-GROUP) == 15


async def test_another_currency_is_told_by_group_and_items(cloud: Cloud) -> None:
    cloud.sandbox.communities[GROUP].currency = 933
    assert (await cloud.read(await cloud.add()))["price"]["currency"]["name"] == "BYN"
    group = (await cloud.ok("groups.getById", group_id=GROUP, fields="market"))["groups"][0]
    assert group["market"]["currency"]["id"] == 933
