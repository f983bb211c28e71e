"""Uploading pictures: VK FACTS 3."""

import asyncio
import struct

import orjson
import pytest

from evosync.sandbox.pictures import PNG, draw, examine
from evosync.sandbox.server import serve
from tests.sandbox.cloud import GROUP, PICTURE, Cloud

COLOURS = ((1, 2, 3), (4, 5, 6), (7, 8, 9))


def jpeg(width: int, height: int) -> bytes:
    """The first segments of a JPEG file."""
    app0 = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + b"\0" * 9
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\1\x11\0"
    return b"\xff\xd8" + app0 + frame + b"\xff\xda"


def gif(width: int, height: int) -> bytes:
    """The header of a GIF file."""
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0"


@pytest.mark.parametrize(
    ("body", "kind"), [(PICTURE, "image/png"), (jpeg(500, 400), "image/jpeg"), (gif(400, 900), "image/gif")]
)
def test_the_header_of_a_picture_tells_its_kind_and_size(body: bytes, kind: str) -> None:
    picture = examine(body)
    assert picture is not None
    assert picture.kind == kind
    assert min(picture.width, picture.height) == 400


@pytest.mark.parametrize("body", [b"", b"RIFF....WEBPVP8 ", b"\xff\xd8\xff", PNG, b"%PDF-1.7"])
def test_anything_else_is_no_picture(body: bytes) -> None:
    assert examine(body) is None


async def test_one_picture_is_uploaded_and_saved_with_the_raw_text(cloud: Cloud) -> None:
    text = await cloud.upload(PICTURE)
    saved = await cloud.ok("market.saveProductPhoto", upload_response=text)
    item = await cloud.read(await cloud.add(main_photo_id=saved["photo_id"]), extended=1)
    assert item["photos"][0]["id"] == saved["photo_id"]
    async with cloud.session.get(item["thumb_photo"]) as reply:
        assert (reply.content_type, await reply.read()) == ("image/png", PICTURE)


async def test_five_pictures_are_saved_at_once_in_no_promised_order(cloud: Cloud) -> None:
    bodies = [draw(((n, 0, 0), (n, 1, 1), (n, 2, 2))) for n in range(5)]
    saved = await cloud.ok("market.saveProductPhotoBulk", upload_response=await cloud.upload(*bodies, bulk=True))
    assert len({row["photo_id"] for row in saved}) == 5
    digests = [cloud.sandbox.photos[row["photo_id"]].digest for row in saved]
    pictures = cloud.sandbox.upload_server.pictures
    assert sorted(pictures[digest].body for digest in digests) == sorted(bodies)
    assert [pictures[digest].body for digest in digests] != bodies


async def test_a_parsed_and_rewritten_answer_is_not_the_raw_text(cloud: Cloud) -> None:
    text = orjson.dumps(orjson.loads(await cloud.upload(PICTURE))).decode()
    assert await cloud.code("market.saveProductPhoto", upload_response=text) == 100


async def test_an_answer_is_saved_once_and_by_its_own_route(cloud: Cloud) -> None:
    text = await cloud.upload(PICTURE)
    assert await cloud.code("market.saveProductPhotoBulk", upload_response=text) == 100
    await cloud.ok("market.saveProductPhoto", upload_response=text)
    assert await cloud.code("market.saveProductPhoto", upload_response=text) == 100


async def test_another_persons_answer_is_refused(cloud: Cloud) -> None:
    cloud.sandbox.add_person("other")
    text = await cloud.upload(PICTURE)
    assert await cloud.code("market.saveProductPhoto", "other", upload_response=text) == 100


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (draw(COLOURS, width=399, height=400), "image/png", "ERR_UPLOAD_BAD_IMAGE_SIZE"),
        (gif(400, 8_001), "image/gif", "ERR_UPLOAD_BAD_IMAGE_SIZE"),
        (jpeg(9_000, 6_000), "image/jpeg", "ERR_UPLOAD_BAD_IMAGE_SIZE"),
        (b"RIFF....WEBP", "image/webp", "ERR_UPLOAD_BAD_IMAGE"),
        (PICTURE, "application/octet-stream", "ERR_UPLOAD_FILE_NOT_UPLOADED"),
    ],
)
async def test_a_file_that_breaks_a_rule_is_refused_with_status_200(
    cloud: Cloud, body: bytes, kind: str, error: str
) -> None:
    assert orjson.loads(await cloud.upload(body, kind=kind))["error"].startswith(error)


async def test_the_field_names_are_file_or_file1_to_file5(cloud: Cloud) -> None:
    assert "error" in orjson.loads(await cloud.upload(PICTURE, field="photo"))
    assert "error" in orjson.loads(await cloud.upload(PICTURE, bulk=True, field="file"))
    assert "error" in orjson.loads(await cloud.upload(PICTURE, bulk=True, field="file6"))


async def test_an_upload_address_lives_for_a_while(cloud: Cloud) -> None:
    cloud.sandbox.vk.upload_seconds = -1
    assert orjson.loads(await cloud.upload(PICTURE))["error"].startswith("ERR_UPLOAD_BAD_URL")


async def test_the_group_of_an_upload_address_is_positive(cloud: Cloud) -> None:
    assert await cloud.code("market.getProductPhotoUploadServer", group_id=-GROUP) == 100
    assert await cloud.code("market.getProductPhotoUploadServer") == 100


async def test_photos_are_not_saved_inside_execute(cloud: Cloud) -> None:
    text = await cloud.upload(PICTURE)
    literal = orjson.dumps({"upload_response": text}).decode()
    reply = await cloud.execute(f"return [API.market.saveProductPhoto({literal})];")
    assert reply["response"] == [False]
    await cloud.ok("market.saveProductPhoto", upload_response=text)


async def test_a_sender_who_hangs_up_in_the_middle_is_no_error_of_the_sandbox(caplog: pytest.LogCaptureFixture) -> None:
    async with serve() as running:
        held = running.sandbox.fault("hold", "upload")
        _, writer = await asyncio.open_connection(running.host, running.port)
        writer.write(
            b"POST /vk/upload/ticket HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        )
        await held.reached.wait()
        writer.transport.abort()
        held.release()
    assert not caplog.records
