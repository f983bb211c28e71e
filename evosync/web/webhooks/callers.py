"""Who calls: the cloud with the app's secret, or with the token that we gave it for one owner."""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from evosync.web.webhooks.answers import wrong_secret, wrong_token

_LONGEST: Final = 1_000
_ALPHABET: Final = str.maketrans("-_", "+/")


class Secrets:
    """The app's secret, and the previous one during a rotation. With none set nobody is let in."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = [secret.encode() for secret in secrets if secret]

    def open_for(self, shown: str) -> bool:
        """Compares with every secret, in the same time whatever differs."""
        given = shown.encode("utf-8", "surrogatepass")
        return sum(hmac.compare_digest(given, secret) for secret in self._secrets) > 0

    def signed(self, body: bytes, signature: str) -> bool:
        """Whether `sha1=…` is of this body (Evotor FACTS 4.7)."""
        given = signature.removeprefix("sha1=").casefold().encode("utf-8", "surrogatepass")
        made = [hmac.new(secret, body, "sha1").hexdigest().encode() for secret in self._secrets]
        return sum(hmac.compare_digest(given, each) for each in made) > 0

    def require(self, request: web.Request) -> None:
        """Raises `Refusal` with 401/1001."""
        if not self.open_for(shown_by(request)):
            raise wrong_secret()


def shown_by(request: web.Request) -> str:
    """What the header holds: a bearer's token, or the password of a Basic pair. Empty: nothing of use."""
    scheme, _, value = request.headers.get("Authorization", "")[:_LONGEST].partition(" ")
    value = value.strip()
    if scheme.casefold() == "bearer":
        return value
    if scheme.casefold() != "basic":
        return ""
    try:
        return b64decode(_standard(value), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _standard(base64: str) -> str:
    """The reference's pattern has the other alphabet's `-` and `_`, and need not be filled up (Evotor FACTS 4.1)."""
    return base64.translate(_ALPHABET) + "=" * (-len(base64) % 4)


def token_of(request: web.Request) -> str:
    """Raises `Refusal` with 401/1002 where there is none."""
    token = shown_by(request)
    if not token:
        raise wrong_token()
    return token
