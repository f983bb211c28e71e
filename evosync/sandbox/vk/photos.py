"""Upload addresses, the upload server, and saving what was uploaded (VK FACTS 3)."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from evosync.sandbox.pictures import Picture, examine
from evosync.sandbox.vk.call import Call
from evosync.sandbox.vk.errors import VkError, wrong
from evosync.sandbox.vk.shop import Photo

LEAST_SIDE, MOST_SIDES, MOST_RATIO = 400, 14_000, 20
MOST_BYTES = 50 * 1024 * 1024
SINGLE, BULK = ("file",), ("file1", "file2", "file3", "file4", "file5")


@dataclass(slots=True)
class Ticket:
    """An upload address."""

    key: str
    group_id: int
    person_id: int
    bulk: bool
    expires_at: float


@dataclass(slots=True)
class Upload:
    """Pictures that arrived and wait to be saved; found by the exact text of the upload server's answer."""

    group_id: int
    person_id: int
    bulk: bool
    digests: list[str]
    used: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """One file of a multipart body."""

    field: str
    filename: str
    content_type: str
    body: bytes


class UploadError(Exception):
    """What the upload server says in its ``error`` key, with HTTP status 200."""


@dataclass(slots=True)
class UploadServer:
    """The host that takes files: it knows tickets and pictures, and nothing of items."""

    tickets: dict[str, Ticket] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    pictures: dict[str, Picture] = field(default_factory=dict)
    received: int = 0

    def open(self, *, group_id: int, person_id: int, bulk: bool, seconds: float) -> Ticket:
        """Make an upload address that lives for so long."""
        ticket = Ticket(secrets.token_urlsafe(18), group_id, person_id, bulk, time.monotonic() + seconds)
        self.tickets[ticket.key] = ticket
        return ticket

    def take(self, key: str, files: Sequence[Sent]) -> str:
        """Check and keep the files; the text of the answer, which must come back untouched.

        Raises:
            UploadError: its text is the value of the ``error`` key.
        """
        ticket = self.tickets.get(key)
        if ticket is None or time.monotonic() > ticket.expires_at:
            self.tickets.pop(key, None)
            raise UploadError("ERR_UPLOAD_BAD_URL: upload url is wrong or too old")
        fields = BULK if ticket.bulk else SINGLE
        if not files or any(sent.field not in fields for sent in files) or len({s.field for s in files}) != len(files):
            raise UploadError(f"ERR_UPLOAD_FILE_NOT_UPLOADED: expected {', '.join(fields)}")
        digests = []
        for sent in files:
            picture = _checked(sent)
            digests.append(picture.digest)
            self.pictures.setdefault(digests[-1], picture)
        self.received += len(digests)
        answer = self._answer(ticket, digests)
        self.uploads[answer] = Upload(ticket.group_id, ticket.person_id, ticket.bulk, digests)
        return answer

    def _answer(self, ticket: Ticket, digests: Sequence[str]) -> str:
        picture = self.pictures[digests[0]]
        answer = {
            "sha": "".join(digest[:12] for digest in digests),
            "secret": secrets.token_hex(8),
            "meta": {"height": str(picture.height), "width": str(picture.width), "kid": secrets.token_hex(16)},
            "hash": secrets.token_hex(16),
            "server": "856432",
            "user_id": ticket.person_id,
            "group_id": ticket.group_id,
            "request_id": secrets.token_urlsafe(12),
            "album_id": -53,
            "app_id": 51_000_000,
        }
        # Spaces after the colons: a client that parses and writes it again does not give back this text.
        return orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode().replace("\n", "").replace("  ", " ")


def _checked(sent: Sent) -> Picture:
    if not sent.filename or not sent.content_type.startswith("image/"):
        raise UploadError("ERR_UPLOAD_FILE_NOT_UPLOADED: a file name and an image type are needed")
    if len(sent.body) > MOST_BYTES:
        raise UploadError("ERR_UPLOAD_FILE_TOO_BIG")
    picture = examine(sent.body)
    if picture is None:
        raise UploadError("ERR_UPLOAD_BAD_IMAGE: only JPG, PNG and GIF")
    low, high = sorted((picture.width, picture.height))
    if low < LEAST_SIDE or low + high > MOST_SIDES or high > MOST_RATIO * low:
        raise UploadError("ERR_UPLOAD_BAD_IMAGE_SIZE: market photo min size 400x400")
    return picture


def upload_server(call: Call) -> object:
    """An address to post files to; bulk takes ``file1`` to ``file5``."""
    call.person_only("photos")
    call.person_only("market")
    group_id = call.params.required_integer("group_id", low=1)
    bulk = bool(call.params.flag("bulk"))
    call.admitted(group_id, writing=True)
    ticket = call.sandbox.upload_server.open(
        group_id=group_id, person_id=call.token.person_id, bulk=bulk, seconds=call.sandbox.vk.upload_seconds
    )
    return {"upload_url": f"{call.renderer.base_url}/vk/upload/{ticket.key}"}


def _save(call: Call, *, bulk: bool) -> list[dict[str, object]]:
    if call.inside:
        raise VkError(8, "method is not available inside execute")
    call.person_only("photos")
    text = call.params.required_text("upload_response")
    upload = call.sandbox.upload_server.uploads.get(text)
    foreign = upload is None or upload.person_id != call.token.person_id or upload.bulk != bulk
    if upload is None or foreign or (upload.used and call.sandbox.vk.upload_response_once):
        raise wrong("upload_response", "is invalid")
    call.admitted(upload.group_id, writing=True)
    upload.used = True
    digests = list(upload.digests)
    if bulk and call.sandbox.vk.bulk_order == "shuffled":
        call.sandbox.dice.shuffle(digests)
    return [_photo(call, upload, digest) for digest in digests]


def _photo(call: Call, upload: Upload, digest: str) -> dict[str, object]:
    picture = call.sandbox.upload_server.pictures[digest]
    photo = Photo(
        call.sandbox.next_photo_id(),
        upload.group_id,
        upload.person_id,
        digest,
        picture.width,
        picture.height,
        time.time(),
    )
    call.sandbox.photos[photo.id] = photo
    return {"photo_id": photo.id, "photo": orjson.Fragment(call.renderer.photo(photo))}


def save_photo(call: Call) -> object:
    """Turn one uploaded file into a photo."""
    return _save(call, bulk=False)[0]


def save_photos(call: Call) -> object:
    """Turn up to five uploaded files into photos; nobody promises their order."""
    return _save(call, bulk=True)
