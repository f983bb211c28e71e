"""Replies held against VK's official schema 5.199 and against typed models of it."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import referencing
from referencing.jsonschema import DRAFT7

from tests.sandbox.cloud import GROUP, PICTURE, Cloud

SCHEMA = Path(__file__).resolve().parents[3] / "shared" / "contracts" / "vk" / "schema"


def lifted(node: Any) -> Any:
    """The schema with ``required: true`` moved from a property to a list on its parent; alien rules taken out."""
    if isinstance(node, list):
        return [lifted(part) for part in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: lifted(value)
        for key, value in node.items()
        if not (key == "required" and isinstance(value, bool)) and key not in ("format", "additionalProperties")
    }
    properties = node.get("properties")
    if isinstance(properties, dict):
        needed = [name for name, one in properties.items() if isinstance(one, dict) and one.get("required") is True]
        if needed:
            kept["required"] = needed
    return kept


@pytest.fixture(scope="session")
def registry() -> referencing.Registry[Any]:
    """All definition files under the addresses by which they name one another."""
    if not SCHEMA.is_dir():
        pytest.skip("the official VK schema is not beside the repository")

    def resources() -> Iterator[tuple[str, referencing.Resource[Any]]]:
        for path in SCHEMA.glob("*/*.json"):
            body = lifted(json.loads(path.read_text("utf-8")))
            name = f"http://schema.localhost/{path.relative_to(SCHEMA).as_posix()}"
            yield name, referencing.Resource.from_contents(body, default_specification=DRAFT7)

    return referencing.Registry().with_resources(resources())


def holds(registry: referencing.Registry[Any], reference: str, reply: Any) -> None:
    """Fail where the reply breaks the definition."""
    validator = jsonschema.Draft7Validator({"$ref": f"http://schema.localhost/{reference}"}, registry=registry)
    faults = [f"{list(fault.absolute_path)}: {fault.message[:200]}" for fault in validator.iter_errors(reply)]
    assert not faults, faults


async def replies(cloud: Cloud) -> dict[str, Any]:
    """One successful reply of every method, by the name of its definition."""
    album = await cloud.vk("market.addAlbum", owner_id=-GROUP, title="Хлеб")
    album_id = album["response"]["market_album_id"]
    upload = await cloud.upload(PICTURE)
    bulk = await cloud.upload(PICTURE, PICTURE, bulk=True)
    photo = await cloud.vk("market.saveProductPhoto", upload_response=upload)
    goods = await cloud.goods(main_photo_id=photo["response"]["photo_id"], sku="evo-1", stock_amount=0, old_price="300")
    added = await cloud.vk("market.add", **goods)
    item_id = added["response"]["market_item_id"]
    one = {"owner_id": -GROUP, "item_id": item_id}
    ids = f"-{GROUP}_{item_id}"
    return {
        "market/responses.json#/definitions/market_addAlbum_response": album,
        "market/responses.json#/definitions/market_photo_id_response": photo,
        "market/responses.json#/definitions/market_photo_id_bulk_response": await cloud.vk(
            "market.saveProductPhotoBulk", upload_response=bulk
        ),
        "market/responses.json#/definitions/market_add_response": added,
        "base/responses.json#/definitions/base_ok_response": await cloud.vk(
            "market.addToAlbum", owner_id=-GROUP, item_ids=item_id, album_ids=album_id
        ),
        "base/responses.json#/definitions/base_ok_response#edit": await cloud.vk("market.edit", **one, price="5"),
        "base/responses.json#/definitions/base_getUploadServer_response": await cloud.vk(
            "market.getProductPhotoUploadServer", group_id=GROUP
        ),
        "market/responses.json#/definitions/market_get_response": await cloud.vk(
            "market.get", owner_id=-GROUP, with_disabled=1
        ),
        "market/responses.json#/definitions/market_get_extended_response": await cloud.vk(
            "market.get", owner_id=-GROUP, with_disabled=1, extended=1
        ),
        "market/responses.json#/definitions/market_getById_response": await cloud.vk("market.getById", item_ids=ids),
        "market/responses.json#/definitions/market_getById_extended_response": await cloud.vk(
            "market.getById", item_ids=ids, extended=1
        ),
        "market/responses.json#/definitions/market_getAlbums_response": await cloud.vk(
            "market.getAlbums", owner_id=-GROUP
        ),
        "market/responses.json#/definitions/market_getCategories_new_response": await cloud.vk("market.getCategories"),
        "users/responses.json#/definitions/users_get_response": await cloud.vk("users.get"),
        "account/responses.json#/definitions/account_getAppPermissions_response": await cloud.vk(
            "account.getAppPermissions"
        ),
        "groups/responses.json#/definitions/groups_getById_object_response": await cloud.vk(
            "groups.getById", group_id=GROUP, fields="market"
        ),
        "groups/responses.json#/definitions/groups_get_response": await cloud.vk("groups.get", filter="admin"),
        "groups/responses.json#/definitions/groups_get_object_extended_response": await cloud.vk(
            "groups.get", filter="admin", extended=1, fields="market"
        ),
    }


async def test_every_reply_fits_the_official_schema(cloud: Cloud, registry: referencing.Registry[Any]) -> None:
    for reference, reply in (await replies(cloud)).items():
        assert "error" not in reply, (reference, reply)
        holds(registry, reference.removesuffix("#edit"), reply)


async def test_the_check_itself_sees_a_wrong_reply(cloud: Cloud, registry: referencing.Registry[Any]) -> None:
    await cloud.add()
    reply = await cloud.vk("market.get", owner_id=-GROUP)
    reply["response"]["items"][0]["price"]["amount"] = 199.9
    with pytest.raises(AssertionError, match="amount"):
        holds(registry, "market/responses.json#/definitions/market_get_response", reply)


async def test_a_refusal_has_the_shape_of_the_schema_but_for_its_inner_type(
    cloud: Cloud, registry: referencing.Registry[Any]
) -> None:
    error = (await cloud.vk("market.add", owner_id=-GROUP))["error"]
    holds(registry, "base/objects.json#/definitions/base_error", {"inner_type": "base_error", **error})


@pytest.fixture(scope="session")
def models() -> Any:
    """Typed models of the same schema, made by others."""
    pytest.importorskip("vkbottle_types", reason="vkbottle-types is a development dependency")
    return importlib.import_module("vkbottle_types.responses.market")


async def test_replies_are_read_by_typed_models_of_the_api(models: Any, cloud: Cloud) -> None:
    await cloud.add(sku="evo-1", stock_amount=3)
    album = await cloud.vk("market.addAlbum", owner_id=-GROUP, title="Хлеб")
    assert models.MarketAddAlbumResponse(**album).response.market_album_id
    # Not the extended list: these models take its `photos` for a single photo, where the schema has an array.
    whole = models.MarketGetResponse(**await cloud.vk("market.get", owner_id=-GROUP)).response
    assert (whole.items[0].sku, whole.items[0].price.amount) == ("evo-1", "19990")
    albums = models.MarketGetAlbumsResponse(**await cloud.vk("market.getAlbums", owner_id=-GROUP)).response
    assert albums.items[0].title == "Хлеб"
    saved = await cloud.vk("market.saveProductPhoto", upload_response=await cloud.upload(PICTURE))
    assert models.MarketPhotoIdResponse(**saved).response.photo_id
