"""``POST /vk/method/{method}``, the upload server and the pictures, over HTTP."""

import time
from collections.abc import Mapping

import orjson
from aiohttp import BodyPartReader, web

from evosync.sandbox.faults import BrokenTransportError, Fault
from evosync.sandbox.keys import SANDBOX
from evosync.sandbox.ledger import Arrival
from evosync.sandbox.state import Sandbox
from evosync.sandbox.vk import script
from evosync.sandbox.vk.call import Call
from evosync.sandbox.vk.errors import VkError
from evosync.sandbox.vk.methods import METHODS
from evosync.sandbox.vk.params import Params
from evosync.sandbox.vk.photos import Sent, UploadError
from evosync.sandbox.vk.render import Renderer
from evosync.sandbox.vk.shop import Token
from evosync.sandbox.wire import meet, reply, spoil, wait

JSON_TYPE = "application/json; charset=utf-8"
OLDEST_VERSION = (5, 131)
LONGEST_QUERY = 2_048
routes = web.RouteTableDef()


def to_json(value: object) -> bytes:
    """A list part by part: orjson 3.13 writes beyond its buffer where many `false` follow a Fragment in one."""
    if isinstance(value, list):
        return b"[" + b",".join(orjson.dumps(part, default=float) for part in value) + b"]"
    return orjson.dumps(value, default=float)


class Conversation:
    """One request to the API, which is one call or one ``execute`` with many."""

    def __init__(self, sandbox: Sandbox, arrival: Arrival, renderer: Renderer, params: Mapping[str, str]) -> None:
        """Begin with what arrived."""
        self.sandbox = sandbox
        self.arrival = arrival
        self.renderer = renderer
        self.params = params
        self.spoiler: Fault | None = None
        self.errors: list[dict[str, object]] = []
        self.runtime: Fault | None = None

    async def answer(self, token_text: str | None, method: str) -> bytes:
        """The body of a successful reply.

        Raises:
            VkError: the refusal to send instead.
            BrokenTransportError: no proper reply at all.
        """
        token = self.sandbox.admit(token_text, self.arrival)
        self._check_version()
        pause = self.sandbox.latency.of(self.sandbox.latency.vk_request) / 2
        await wait(self.sandbox, pause)
        value = await self._call(token, method, self.params, inside=False)
        await wait(self.sandbox, pause)
        whole = b'{"response":' + to_json(value)
        if self.errors:
            whole += b',"execute_errors":' + to_json(self.errors)
        whole += b"}"
        if method == "execute" and len(whole) > self.sandbox.vk.max_response_bytes:
            raise VkError(13, "response size is too big")
        return whole

    def _check_version(self) -> None:
        parts = self.params.get("v", "").split(".")
        if len(parts) != 2 or not all(part.isdigit() for part in parts):
            raise VkError(8, "v (version) is required")
        if (int(parts[0]), int(parts[1])) < OLDEST_VERSION:
            raise VkError(8, "versions below 5.131 are deprecated")

    async def _call(self, token: Token, method: str, params: Mapping[str, str], *, inside: bool) -> object:
        if method not in METHODS and (method != "execute" or inside):
            raise VkError(3)
        fault = self.sandbox.faults.take(method, token.label, _place(params))
        if fault is not None and fault.kind in ("cut_body", "broken_body"):
            self.spoiler = fault
        if fault is not None and fault.kind == "runtime":
            self.runtime = fault
        await meet(self.sandbox, fault, after=False)
        if fault is not None and fault.kind == "error" and fault.when == "before":
            raise VkError(fault.code, fault.message or "")
        value = (
            await self._execute(token) if method == "execute" else self._carry_out(token, method, params, inside=inside)
        )
        await meet(self.sandbox, fault, after=True)
        if fault is not None and fault.kind == "error":
            raise VkError(fault.code, fault.message or "")
        return value

    def _carry_out(self, token: Token, method: str, raw: Mapping[str, str], *, inside: bool) -> object:
        params = Params(raw)
        value = METHODS[method](Call(self.sandbox, token, params, self.renderer, inside=inside))
        for name in params.unknown():
            self.sandbox.ledger.unknown_parameters[f"{method}:{name}"] += 1
        return value

    async def _execute(self, token: Token) -> object:
        code = self.params.get("code", "")
        if not code:
            raise VkError(100, "code is undefined")
        statements = script.Parser(code).script()

        async def invoke(method: str, params: Mapping[str, str]) -> object:
            return await self._inner(token, method, params)

        value = await script.run(statements, invoke)
        if self.runtime is not None:
            raise VkError(13, self.runtime.message or "")
        return value

    async def _inner(self, token: Token, method: str, params: Mapping[str, str]) -> object:
        if len(self.arrival.inner) >= self.sandbox.vk.max_calls:
            raise VkError(13, "too many api calls")
        if self.runtime is not None and len(self.arrival.inner) >= self.runtime.after_calls:
            raise VkError(13, self.runtime.message or "")
        self.arrival.inner.append(method)
        self.sandbox.ledger.calls[method] += 1
        await wait(self.sandbox, self.sandbox.latency.of(self.sandbox.latency.vk_inner))
        try:
            return await self._call(token, method, params, inside=True)
        except VkError as error:
            self.sandbox.ledger.errors[f"{method}:{error.code}"] += 1
            self.errors.append({"method": method, "error_code": error.code, "error_msg": error.message})
            return False


def _place(params: Mapping[str, str]) -> str:
    return (params.get("owner_id") or params.get("group_id") or "").lstrip("-")


def _refusal(error: VkError, method: str, params: Mapping[str, str], base_url: str) -> bytes:
    echoed = [{"key": "oauth", "value": "1"}, {"key": "method", "value": method}]
    echoed += [{"key": key, "value": value} for key, value in params.items()]
    body: dict[str, object] = {"error_code": error.code, "error_msg": error.message}
    return orjson.dumps({"error": {**body, **error.further(base_url), "request_params": echoed}})


def _bearer(request: web.Request, params: Mapping[str, str]) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return params.get("access_token")


@routes.post("/vk/method/{method}")
async def call_method(request: web.Request) -> web.StreamResponse:
    """Carry out a method; refusals come with HTTP 200 like everything else."""
    sandbox, method = request.app[SANDBOX], request.match_info["method"]
    await wait(sandbox, sandbox.latency.on_the_way())
    arrived = time.monotonic()
    params: dict[str, str] = {}
    if request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        params = {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
    token_text = _bearer(request, params)
    arrival = sandbox.ledger.arrive(arrived, "vk", sandbox.label_of(token_text), method)
    renderer = sandbox.renderer(str(request.url.origin()))
    conversation = Conversation(sandbox, arrival, renderer, params)
    try:
        body = await conversation.answer(token_text, method)
    except VkError as error:
        arrival.outcome = error.code
        sandbox.ledger.errors[f"{method}:{error.code}"] += 1
        body = _refusal(error, method, params, renderer.base_url)
    except BrokenTransportError as broken:
        arrival.outcome = broken.fault.status if broken.fault.kind == "http" else -1
        return await spoil(request, sandbox, broken.fault)
    return await reply(request, body, content_type=JSON_TYPE, fault=conversation.spoiler)


@routes.get("/vk/method/{method}")
async def refuse_get(request: web.Request) -> web.StreamResponse:
    """A long address answers 414; a short one is told to use POST, so that no token lands in a log."""
    if len(request.raw_path) > LONGEST_QUERY:
        return web.Response(
            status=414, text="<html><body>414 Request-URI Too Large</body></html>", content_type="text/html"
        )
    body = _refusal(VkError(8, "use POST"), request.match_info["method"], {}, "")
    return web.Response(body=body, headers={"Content-Type": JSON_TYPE})


async def _files(request: web.Request) -> list[Sent]:
    if request.content_type != "multipart/form-data":
        return []
    files: list[Sent] = []
    async for part in await request.multipart():
        if isinstance(part, BodyPartReader):
            kind = part.headers.get("Content-Type", "")
            files.append(Sent(part.name or "", part.filename or "", kind, bytes(await part.read())))
    return files


def _refused(fault: Fault | None) -> None:
    if fault is not None and fault.kind == "error":
        raise UploadError(fault.message or "ERR_UPLOAD_BAD_IMAGE_SIZE: market photo min size 400x400")


@routes.post("/vk/upload/{ticket}")
async def upload(request: web.Request) -> web.StreamResponse:
    """Take files; errors come with HTTP 200 in the key ``error``."""
    sandbox = request.app[SANDBOX]
    arrival = sandbox.ledger.arrive(time.monotonic(), "upload", request.match_info["ticket"], "upload")
    fault = sandbox.faults.take("upload")
    try:
        await meet(sandbox, fault, after=False)
        await wait(sandbox, sandbox.latency.of(sandbox.latency.upload))
        files = await _files(request)
        _refused(fault)
        body = sandbox.upload_server.take(request.match_info["ticket"], files).encode()
        await meet(sandbox, fault, after=True)
    except UploadError as error:
        arrival.outcome = 1
        sandbox.ledger.errors["upload:1"] += 1
        body = orjson.dumps({"error": str(error), "bwact": "upload", "server": 856_432})
    except BrokenTransportError as broken:
        arrival.outcome = -1
        return await spoil(request, sandbox, broken.fault)
    return await reply(request, body, content_type=JSON_TYPE, fault=fault)


@routes.get("/vk/photo/{photo}")
async def photo(request: web.Request) -> web.StreamResponse:
    """The picture of a photo."""
    sandbox = request.app[SANDBOX]
    text = request.match_info["photo"]
    found = sandbox.photos.get(int(text)) if text.isdigit() else None
    if found is None:
        raise web.HTTPNotFound
    picture = sandbox.upload_server.pictures[found.digest]
    if request.headers.get("If-None-Match") == f'"{found.digest}"':
        return web.Response(status=304)
    headers = {"ETag": f'"{found.digest}"', "Cache-Control": "max-age=86400"}
    return web.Response(body=picture.body, content_type=picture.kind, headers=headers)
