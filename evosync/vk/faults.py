"""VK's error codes as what the caller can do about them (VK FACTS 4)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from evosync.domain.errors import (
    CloudError,
    Full,
    NotFound,
    Operators,
    Quota,
    Refused,
    Rejected,
    Side,
    Throttled,
    Unavailable,
    Unknown,
)


class Kind(Enum):
    """One for each way to go on. `OUTAGE`: a read is repeated, a write's outcome is unknown."""

    OUTAGE = auto()
    LATER = auto()
    THROTTLED = auto()
    QUOTA = auto()
    CAPTCHA = auto()
    OPERATORS = auto()
    REJECTED = auto()
    REFUSED = auto()
    NOT_FOUND = auto()
    FULL = auto()


THROTTLED = 6
COMPILE = 12
RUNTIME = 13
PARAMETER = 100
ALREADY_IN_ALBUM = 1404

_CODES: Mapping[Kind, tuple[int, ...]] = {
    Kind.OUTAGE: (1, 10, RUNTIME, 36),
    Kind.LATER: (43,),
    Kind.THROTTLED: (THROTTLED,),
    Kind.QUOTA: (9, 29),
    Kind.CAPTCHA: (14,),
    Kind.OPERATORS: (2, 3, 8, COMPILE, 16, 20, 21, 23, 28, 38, 42, 101),
    Kind.REJECTED: (5, 7, 15, 17, 18, 24, 25, 27, 37, 200, 203, 205, 1438, 1525, 1526, 3609, 3610),
    Kind.REFUSED: (
        *(19, PARAMETER, ALREADY_IN_ALBUM, 1408, *range(1412, 1418), 1421, 1425, 1426, 1429),
        *(1433, 1434, 1435, 1446, 1457, 1458, 1518),
    ),
    Kind.NOT_FOUND: (1400, 1402, 1403),
    Kind.FULL: (1405, 1406, 1407),
}
KINDS: Mapping[int, Kind] = {code: kind for kind, codes in _CODES.items() for code in codes}

_FIELDS: Mapping[int, str] = {
    1408: "description",
    1421: "name",
    1429: "dimensions",
    1433: "photo",
    1434: "photo",
    1435: "photo",
    1446: "main_album",
    1457: "main_album",
    1458: "main_album",
}
_PARAMETERS = frozenset(
    {
        *("owner_id", "group_id", "item_id", "item_ids", "album_id", "album_ids", "name", "title", "description"),
        *("category_id", "price", "old_price", "deleted", "main_photo_id", "photo_id", "photo_ids", "sku"),
        *("stock_amount", "url", "upload_response", "count", "offset", "code"),
    }
)
_WORD = re.compile(r"[a-z_]+[a-z]", re.ASCII)
_SECRET = re.compile(r"vk1\.[\w.-]+|[A-Za-z0-9_-]{48,}", re.ASCII)
_LONGEST_DETAIL = 300


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as VK states it, outside or as an entry of `execute_errors`."""

    code: int
    message: str = ""
    method: str = ""

    @property
    def kind(self) -> Kind | None:
        """None for a code of which nothing is known."""
        return KINDS.get(self.code)

    @property
    def is_too_big(self) -> bool:
        """An execute whose reply would pass 5 MB."""
        return self.code == RUNTIME and "too big" in self.message.casefold()


def read_fault(raw: Mapping[str, Any]) -> Fault:
    """From `error` of a reply, or from an entry of `execute_errors`. What was sent (`request_params`) is dropped."""
    code = raw.get("error_code")
    return Fault(
        code=code if isinstance(code, int) else 0,
        message=without_secrets(str(raw.get("error_msg") or raw.get("error_text") or "")),
        method=str(raw.get("method") or ""),
    )


def without_secrets(text: str) -> str:
    """Short enough for a log, and with nothing in it that could be a token."""
    return _SECRET.sub("…", text)[:_LONGEST_DETAIL]


def named_field(fault: Fault) -> str:
    """The parameter that VK finds wrong: fixed for some codes, else named in the tail of the message."""
    if fault.code != PARAMETER:
        return _FIELDS.get(fault.code, "")
    tail = fault.message.rpartition("invalid:")[2]
    words = _WORD.findall(tail.casefold())
    named = next((word for word in words if word in _PARAMETERS), "")
    if not named and "photo" in words:
        return "photo"
    return named or (words[0] if words else "")


_PLAIN: Mapping[Kind, type[CloudError]] = {
    Kind.LATER: Unavailable,
    Kind.OPERATORS: Operators,
    Kind.REJECTED: Rejected,
    Kind.NOT_FOUND: NotFound,
    Kind.FULL: Full,
}


def to_error(fault: Fault, *, method: str, write: bool) -> CloudError:
    """The fault of a call of `method` in the engine's words.

    An unlisted code is a clear answer: a write was refused; a read may do better another time.
    """
    code, detail = f"VK {fault.code}", f"{method}: {fault.message}" if fault.message else method
    match fault.kind or (Kind.REFUSED if write else Kind.LATER):
        case Kind.OUTAGE:
            return (Unknown if write else Unavailable)(Side.VK, code, detail)
        case Kind.THROTTLED:
            return Throttled(Side.VK, code, detail, wait=timedelta(seconds=1))
        case Kind.QUOTA | Kind.CAPTCHA as kind:
            return Quota(Side.VK, code, detail, method=method)
        case Kind.REFUSED:
            return Refused(Side.VK, code, detail, field=named_field(fault))
        case kind:
            return _PLAIN[kind](Side.VK, code, detail)
