"""Albums: VK FACTS 7."""

from tests.sandbox.cloud import GROUP, Cloud


async def test_albums_are_made_renamed_listed_and_removed(cloud: Cloud) -> None:
    made = await cloud.ok("market.addAlbum", owner_id=-GROUP, title="Хлеб")
    assert made["albums_count"] == 1
    album = made["market_album_id"]
    await cloud.ok("market.editAlbum", owner_id=-GROUP, album_id=album, title="Выпечка")
    listed = await cloud.ok("market.getAlbums", owner_id=-GROUP)
    assert [(row["id"], row["title"], row["count"]) for row in listed["items"]] == [(album, "Выпечка", 0)]
    await cloud.ok("market.deleteAlbum", owner_id=-GROUP, album_id=album)
    assert (await cloud.ok("market.getAlbums", owner_id=-GROUP))["count"] == 0
    assert await cloud.code("market.deleteAlbum", owner_id=-GROUP, album_id=album) == 1402


async def test_titles_may_repeat_and_have_a_longest_length(cloud: Cloud) -> None:
    await cloud.ok("market.addAlbum", owner_id=-GROUP, title="Хлеб")
    await cloud.ok("market.addAlbum", owner_id=-GROUP, title="Хлеб")
    assert await cloud.code("market.addAlbum", owner_id=-GROUP, title="я" * 129) == 100
    assert await cloud.code("market.addAlbum", owner_id=-GROUP) == 100


async def test_there_is_a_most_of_albums_and_of_items_in_one(cloud: Cloud) -> None:
    cloud.sandbox.vk.max_albums = 1
    cloud.sandbox.vk.max_album_items = 1
    album = (await cloud.ok("market.addAlbum", owner_id=-GROUP, title="Хлеб"))["market_album_id"]
    assert await cloud.code("market.addAlbum", owner_id=-GROUP, title="Сыр") == 1407
    one, two = (cloud.sandbox.add_item(GROUP, f"Батон {n}", 100).id for n in (1, 2))
    await cloud.ok("market.addToAlbum", owner_id=-GROUP, item_ids=one, album_ids=album)
    assert await cloud.code("market.addToAlbum", owner_id=-GROUP, item_ids=two, album_ids=album) == 1406


async def test_the_main_album_cannot_be_hidden(cloud: Cloud) -> None:
    album = (await cloud.ok("market.addAlbum", owner_id=-GROUP, title="Хлеб", main_album=1))["market_album_id"]
    assert await cloud.code("market.editAlbum", owner_id=-GROUP, album_id=album, title="Хлеб", is_hidden=1) == 1446


async def test_a_list_of_items_goes_into_a_list_of_albums(cloud: Cloud) -> None:
    bread, cheese = (cloud.sandbox.add_album(GROUP, title).id for title in ("Хлеб", "Сыр"))
    ids = [cloud.sandbox.add_item(GROUP, f"Товар {n}", 100).id for n in range(3)]
    joined = ",".join(map(str, ids))
    assert await cloud.ok("market.addToAlbum", owner_id=-GROUP, item_ids=joined, album_ids=f"{bread},{cheese}") == 1
    assert (await cloud.read(ids[0], extended=1))["albums_ids"] == [bread, cheese]
    await cloud.ok("market.removeFromAlbum", owner_id=-GROUP, item_id=ids[0], album_ids=bread)
    assert (await cloud.read(ids[0], extended=1))["albums_ids"] == [cheese]
    assert {row["count"] for row in (await cloud.ok("market.getAlbums", owner_id=-GROUP))["items"]} == {2, 3}


async def test_an_item_that_is_in_already_stops_the_list_before_the_rest(cloud: Cloud) -> None:
    album = cloud.sandbox.add_album(GROUP, "Хлеб").id
    ids = [cloud.sandbox.add_item(GROUP, f"Товар {n}", 100).id for n in range(3)]
    await cloud.ok("market.addToAlbum", owner_id=-GROUP, item_ids=ids[1], album_ids=album)
    joined = ",".join(map(str, ids))
    assert await cloud.code("market.addToAlbum", owner_id=-GROUP, item_ids=joined, album_ids=album) == 1404
    assert list(cloud.sandbox.communities[GROUP].albums[album].item_ids) == [ids[1], ids[0]]


async def test_a_refused_list_may_also_do_nothing_at_all(cloud: Cloud) -> None:
    cloud.sandbox.vk.album_list = "nothing"
    album = cloud.sandbox.add_album(GROUP, "Хлеб").id
    item = cloud.sandbox.add_item(GROUP, "Батон", 100).id
    assert await cloud.code("market.addToAlbum", owner_id=-GROUP, item_ids=f"{item},99", album_ids=album) == 1403
    assert not cloud.sandbox.communities[GROUP].albums[album].item_ids


async def test_unknown_albums_and_missing_lists_are_refused(cloud: Cloud) -> None:
    item = cloud.sandbox.add_item(GROUP, "Батон", 100).id
    assert await cloud.code("market.addToAlbum", owner_id=-GROUP, item_ids=item, album_ids=5) == 1402
    assert await cloud.code("market.addToAlbum", owner_id=-GROUP, item_ids=item) == 100
    assert await cloud.code("market.addToAlbum", owner_id=-GROUP, album_ids=5) == 100


async def test_a_deleted_item_leaves_its_albums_and_comes_back_to_them(cloud: Cloud) -> None:
    album = cloud.sandbox.add_album(GROUP, "Хлеб")
    item = cloud.sandbox.add_item(GROUP, "Батон", 100, album_ids=[album.id]).id
    await cloud.ok("market.delete", owner_id=-GROUP, item_id=item)
    assert not album.item_ids
    await cloud.ok("market.restore", owner_id=-GROUP, item_id=item)
    assert list(album.item_ids) == [item]
