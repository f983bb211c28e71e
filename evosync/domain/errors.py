"""What can go wrong with the two clouds, named by what the caller can do about it.

Adapters translate into these at their edge; a run knows no others. `code` is what support needs:
`VK 5`, `Evotor 401`, `VK HTTP 502`. No message ever holds a token.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Side(StrEnum):
    """Which cloud an error or a connection is about."""

    EVOTOR = "evotor"
    VK = "vk"


@dataclass(eq=False)
class CloudError(Exception):
    """Base of all; never raised itself."""

    side: Side
    code: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


@dataclass(eq=False)
class Rejected(CloudError):
    """The token or the right to the shop is gone: mark the connection, tell the owner, rest."""


@dataclass(eq=False)
class Operators(CloudError):
    """Our application or our code is at fault: pause, tell the operator, never the owner."""


@dataclass(eq=False)
class Throttled(CloudError):
    """Too fast; nothing was done. `wait` is how long to hold back, None when not told."""

    wait: timedelta | None = None


@dataclass(eq=False)
class Quota(CloudError):
    """VK stops one method, for a while (9, 29) or until a person acts (14)."""

    method: str = ""


@dataclass(eq=False)
class Refused(CloudError):
    """This one write is refused; others may go on. `field` is the parameter VK named, if any."""

    field: str = ""


@dataclass(eq=False)
class NotFound(CloudError):
    """The item, album, store or product is not there (VK 1402, 1403, Evotor 404)."""


@dataclass(eq=False)
class Full(CloudError):
    """A limit of the shop is reached (VK 1405, 1406, 1407)."""


@dataclass(eq=False)
class Unknown(CloudError):
    """A write whose outcome nobody told us: read before repeating (VK FACTS 8)."""


@dataclass(eq=False)
class Unavailable(CloudError):
    """The cloud is in trouble and nothing was written: try again later."""


@dataclass(eq=False)
class Overtaken(CloudError):
    """Nothing was sent: another run of the owner has begun, and what this one planned is out of date."""


@dataclass(eq=False)
class Unpaid(CloudError):
    """Evotor 402: rest this store only."""


@dataclass(eq=False)
class GuardTripped(CloudError):
    """Our own check stopped the shop before harm was done: prices off by 100, wrong currency.

    `wanted` and `got` are kopecks, or currency numbers.
    """

    wanted: int = 0
    got: int = 0
