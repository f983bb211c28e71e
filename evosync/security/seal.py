"""Tokens at rest: sealed under a key made from SECRET_KEY, found by fingerprint."""

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12


class Unsealable(Exception):
    """The key is unknown (SECRET_KEY changed without naming the earlier one), or the box was tampered with."""


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """An encrypted secret and the id of the key that opens it."""

    key_id: str
    box: bytes

    def __repr__(self) -> str:
        return f"Sealed({self.key_id})"


@dataclass(frozen=True, slots=True, repr=False)
class _Key:
    id: str
    cipher: AESGCM
    mark: bytes


def _key(secret: str) -> _Key:
    def derive(purpose: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"evosync " + purpose).derive(secret.encode())

    return _Key(derive(b"key id")[:4].hex(), AESGCM(derive(b"seal")), derive(b"fingerprint"))


class Sealer:
    """Seals with the current key, opens with any."""

    def __init__(self, secret_keys: Sequence[str]) -> None:
        """`secret_keys`: the current one first, then earlier ones that are still accepted."""
        if not secret_keys:
            raise ValueError("a sealer needs at least one key")
        self._keys = [_key(secret) for secret in secret_keys]
        self._by_id = {key.id: key for key in self._keys}

    @property
    def key_id(self) -> str:
        """Of the current key; a box with another id waits to be sealed anew."""
        return self._keys[0].id

    def seal(self, secret: str, *, about: str) -> Sealed:
        """`about` names the place of the box (`evotor 7`); moved to another, it does not open."""
        key = self._keys[0]
        nonce = os.urandom(_NONCE)
        return Sealed(key.id, nonce + key.cipher.encrypt(nonce, secret.encode(), about.encode()))

    def open(self, sealed: Sealed, *, about: str) -> str:
        """Raises `Unsealable`."""
        key = self._by_id.get(sealed.key_id)
        if key is None:
            raise Unsealable(f"sealed under the key {sealed.key_id}, which is not among those in use")
        try:
            return key.cipher.decrypt(sealed.box[:_NONCE], sealed.box[_NONCE:], about.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise Unsealable(f"the key {sealed.key_id} does not open this") from error

    def fingerprint(self, secret: str) -> str:
        """32 hex digits that stand for `secret` and do not tell it; other ones under another key."""
        return _fingerprint(self._keys[0], secret)

    def fingerprints(self, secret: str) -> tuple[str, ...]:
        """One for each key, current first. Look up by all of them: a row keeps its old one until it is sealed anew."""
        return tuple(_fingerprint(key, secret) for key in self._keys)


def _fingerprint(key: _Key, secret: str) -> str:
    return hmac.new(key.mark, secret.encode("utf-8", "surrogatepass"), sha256).hexdigest()[:32]
