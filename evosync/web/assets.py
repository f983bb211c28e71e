"""Files that pages load, from memory, under names that hold a hash of their content.

So they may be kept for ever, and a new version has a new name. No build step makes them.
"""

import gzip
import mimetypes
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from aiohttp import web

_KINDS: Final = frozenset({".css", ".js", ".svg", ".png", ".ico", ".txt"})
_PACKED: Final = frozenset({".css", ".js", ".svg", ".txt"})
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _File:
    content_type: str
    body: bytes
    packed: bytes | None
    digest: str


class Assets:
    """All files of the static folder (not of folders in it)."""

    def __init__(self, folder: Path) -> None:
        self._plain: dict[str, _File] = {}
        self._hashed: dict[str, _File] = {}
        self._names: dict[str, str] = {}
        for path in sorted(folder.iterdir()):
            if path.suffix not in _KINDS or not path.is_file():
                continue
            body = path.read_bytes()
            file = _File(
                content_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
                body=body,
                packed=gzip.compress(body, 9, mtime=0) if path.suffix in _PACKED else None,
                digest=blake2b(body, digest_size=6).hexdigest(),
            )
            hashed = f"{path.stem}.{file.digest}{path.suffix}"
            self._plain[path.name] = file
            self._hashed[hashed] = file
            self._names[path.name] = hashed

    def url(self, name: str) -> str:
        """Raises KeyError for a file that is not there, so that a wrong name is found by the first test."""
        return f"/static/{self._names[name]}"

    async def serve(self, request: web.Request) -> web.Response:
        """`GET /static/{name}`: a hashed name for ever, a plain one for an hour."""
        name = request.match_info["name"]
        file = self._hashed.get(name)
        lasting = file is not None
        file = file or self._plain.get(name)
        if file is None:
            raise web.HTTPNotFound
        return self._reply(request, file, cache=_FOR_EVER if lasting else "public, max-age=3600")

    async def serve_icon(self, request: web.Request) -> web.Response:
        return self._reply(request, self._plain["mark.svg"], cache="public, max-age=86400")

    @staticmethod
    def _reply(request: web.Request, file: _File, *, cache: str) -> web.Response:
        headers = {"Cache-Control": cache, "ETag": f'"{file.digest}"', "Content-Type": _typed(file.content_type)}
        if file.packed is not None:
            headers["Vary"] = "Accept-Encoding"
        if any(tag.value == file.digest for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        if file.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=file.packed, headers=headers | {"Content-Encoding": "gzip"})
        return web.Response(body=file.body, headers=headers)


def _typed(content_type: str) -> str:
    textual = content_type.startswith("text/") or content_type in {"image/svg+xml", "application/javascript"}
    return f"{content_type}; charset=utf-8" if textual else content_type
