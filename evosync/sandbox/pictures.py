"""Pictures without a picture library: what a file's header says, and simple PNG files of our own."""

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

PNG = b"\x89PNG\r\n\x1a\n"
FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})


@dataclass(frozen=True, slots=True)
class Picture:
    """A stored file: its bytes once, whatever number of photos show it."""

    body: bytes
    kind: str
    width: int
    height: int

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return hashlib.sha256(self.body).hexdigest()


def examine(body: bytes) -> Picture | None:
    """The picture in ``body`` if its header is that of a JPG, PNG or GIF, else None."""
    if body.startswith(PNG) and body[12:16] == b"IHDR" and len(body) >= 33:
        width, height = struct.unpack(">II", body[16:24])
        return Picture(body, "image/png", width, height)
    if body[:6] in (b"GIF87a", b"GIF89a") and len(body) >= 13:
        width, height = struct.unpack("<HH", body[6:10])
        return Picture(body, "image/gif", width, height)
    if body.startswith(b"\xff\xd8\xff"):
        return _jpeg(body)
    return None


def _jpeg(body: bytes) -> Picture | None:
    at = 2
    while at + 9 <= len(body):
        if body[at] != 0xFF:
            return None
        marker = body[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in FRAMES:
            height, width = struct.unpack(">HH", body[at + 5 : at + 9])
            return Picture(body, "image/jpeg", width, height)
        at += 2 + int(struct.unpack(">H", body[at + 2 : at + 4])[0])
    return None


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def draw(colours: Sequence[tuple[int, int, int]], *, width: int = 400, height: int = 400) -> bytes:
    """A PNG with a disc: the first colour is the ground, the second the disc, the third its rim."""
    palette = b"".join(bytes(colour) for colour in colours)
    middle_x, middle_y, radius = width / 2, height / 2, min(width, height) * 0.34
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        row = bytearray(width)
        reach = radius * radius - (y - middle_y) ** 2
        if reach > 0:
            half = int(reach**0.5)
            inner = max(0, half - 12)
            left = int(middle_x) - half
            row[left : left + 2 * half] = b"\x02" * (2 * half)
            row[left + half - inner : left + half + inner] = b"\x01" * (2 * inner)
        rows += row
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"".join(
        (
            PNG,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette),
            _chunk(b"IDAT", zlib.compress(bytes(rows), 9)),
            _chunk(b"IEND", b""),
        )
    )
