"""Requests to VK's API and to its picture hosts: bytes out, status and bytes in."""

import io
from collections.abc import Callable, Collection, Mapping
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from evosync.domain.connection import Token

_PICTURE_HOSTS = ("vk.com", "vk.ru", "vk.me", "userapi.com", "vkuserphoto.ru")
_READ_BUFFER = 4 * 1024 * 1024
"""A reply of some megabytes is read without stopping the sender over and over."""
_MAGIC = {
    b"\xff\xd8": ("photo.jpg", "image/jpeg"),
    b"\x89P": ("photo.png", "image/png"),
    b"GI": ("photo.gif", "image/gif"),
}


class NotSent(Exception):
    """No connection: nothing of the request has left."""


class Lost(Exception):
    """The request left, and its answer did not come, or not whole."""


class StrangeHost(Exception):
    """An upload address that is none of VK's: pictures are not sent just anywhere."""


class _Body(aiohttp.BytesPayload):
    """A form that tells when it begins to leave."""

    def __init__(self, form: bytes, leaving: Callable[[], None]) -> None:
        super().__init__(form, content_type="application/x-www-form-urlencoded")
        self._leaving = leaving

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        self._leaving()
        await super().write_with_length(writer, content_length)


class Transport:
    """`url` is the address before the method's name (`VK_API_URL`). The session needs no headers of its own."""

    def __init__(self, http: aiohttp.ClientSession, *, url: str, version: str, timeout: float = 35.0) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._version = version
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=10)

    async def call(
        self, method: str, params: Mapping[str, str | int], token: Token, *, leaving: Callable[[], None]
    ) -> tuple[int, bytes]:
        """Always a POST with the token in a header (VK FACTS 5). Raises `NotSent` or `Lost`."""
        form = urlencode({**params, "v": self._version}).encode()
        has_left = False

        def note() -> None:
            nonlocal has_left
            has_left = True
            leaving()

        try:
            async with self._http.post(
                f"{self._url}/{method}",
                data=_Body(form, note),
                headers={"Authorization": f"Bearer {token.secret}"},
                timeout=self._timeout,
                allow_redirects=False,
                read_bufsize=_READ_BUFFER,
            ) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise (Lost if has_left else NotSent)(type(error).__name__) from error

    async def upload(self, url: str, pictures: Collection[bytes], *, bulk: bool) -> tuple[int, bytes]:
        """POST pictures as `file`, or as `file1` … in bulk. Uploads bind nothing: `NotSent` for every kind of loss."""
        if not self._is_picture_host(url):
            raise StrangeHost(urlsplit(url).hostname or "")
        form = aiohttp.FormData()
        for number, picture in enumerate(pictures, start=1):
            name, kind = _MAGIC.get(picture[:2], ("photo.jpg", "image/jpeg"))
            form.add_field(f"file{number}" if bulk else "file", io.BytesIO(picture), filename=name, content_type=kind)
        try:
            async with self._http.post(url, data=form, timeout=self._timeout, allow_redirects=False) as response:
                return response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotSent(type(error).__name__) from error

    def _is_picture_host(self, url: str) -> bool:
        """VK's own hosts by https, or the very host and scheme of the API (the sandbox)."""
        try:
            parts, own = urlsplit(url), urlsplit(self._url)
            host = (parts.hostname or "").rstrip(".")
            if parts.username or parts.password:
                return False
            if host and host == own.hostname and parts.scheme == own.scheme and not _is_vk(host):
                return parts.port == own.port
            return parts.scheme == "https" and parts.port in {None, 443} and _is_vk(host)
        except ValueError:
            return False


def _is_vk(host: str) -> bool:
    return any(host == known or host.endswith(f".{known}") for known in _PICTURE_HOSTS)
