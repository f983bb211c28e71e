"""A user's credential for one side, and how it is doing."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from evosync.domain.errors import Side
from evosync.domain.ids import CommunityId


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """An access token in the clear, for as long as a call needs it; never shows itself.

    `fingerprint` (hex) stands for it wherever it must be found or counted: rates are kept per
    fingerprint, since one token may serve several shops.
    """

    secret: str
    fingerprint: str

    def __repr__(self) -> str:
        return f"Token(…{self.secret[-4:]})" if len(self.secret) > 12 else "Token(…)"


class Health(StrEnum):
    """`BROKEN`: the cloud refuses the token. `PARKED`: the app was removed or its subscription ended."""

    OK = "ok"
    BROKEN = "broken"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class EvotorConnection:
    """`till_user` is Evotor's number of the account, once a reading told it."""

    token: Token
    health: Health = Health.OK
    reason: str = ""
    till_user: str = ""
    connected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VkConnection:
    """`expires_at` None: the token does not expire."""

    token: Token
    community: CommunityId
    health: Health = Health.OK
    reason: str = ""
    name: str = ""
    expires_at: datetime | None = None
    connected_at: datetime | None = None


Connection = EvotorConnection | VkConnection
"""See `Side`: one owner has at most one of each."""

__all__ = ["Connection", "EvotorConnection", "Health", "Side", "Token", "VkConnection"]
