"""``GET /evotor/stores`` and what is below it (Evotor FACTS 1 and 3)."""

import math
import time
from collections import deque
from dataclasses import dataclass

import orjson
from aiohttp import web

from evosync.sandbox.evotor.cursor import seal, unseal
from evosync.sandbox.evotor.till import Account, Group, Product, Store, page
from evosync.sandbox.faults import BrokenTransportError, Fault
from evosync.sandbox.keys import SANDBOX
from evosync.sandbox.state import Sandbox
from evosync.sandbox.wire import meet, reply, spoil, wait

MEDIA_TYPE = "application/vnd.evotor.v2+json"
SERVABLE = frozenset({"*/*", "application/*", MEDIA_TYPE})
routes = web.RouteTableDef()


class HttpError(Exception):
    """An answer that is not 200; bodies other than that of 400 are guesses of the facts."""

    def __init__(
        self, status: int, body: dict[str, object] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        """Keep what to send."""
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers or {}


def invalid(subject: str, reason: str) -> HttpError:
    """The documented shape of 400."""
    violations = [{"reason": reason, "subject": subject}]
    return HttpError(
        400, {"code": "validation_failed", "message": "the request is malformed", "violations": violations}
    )


def forbidden() -> HttpError:
    """The app lacks a permission, or is not installed any more."""
    return HttpError(403, {"code": "forbidden", "message": "insufficient rights"})


@dataclass(slots=True)
class Visit:
    """One request: who asks what, and the faults that await it."""

    request: web.Request
    sandbox: Sandbox
    method: str
    account: Account
    store: Store | None
    headers: dict[str, str]
    fault: Fault | None = None

    @property
    def opened(self) -> Store:
        """The store of the path, paid for.

        Raises:
            HttpError: 404 or 402.
        """
        if self.store is None:
            raise HttpError(404)
        if self.store.unpaid:
            message = "application is not paid/installed on all devices"
            raise HttpError(402, {"code": "payment_required", "message": message})
        return self.store

    def needs(self, permission: str) -> None:
        """Answer 403 without that permission."""
        if permission not in self.account.permissions:
            raise forbidden()


def _token(request: web.Request) -> str:
    """``Authorization: Bearer``, in any case of letters, the bare token there, or ``X-Authorization``."""
    text = request.headers.get("Authorization", "").strip()
    scheme, _, rest = text.partition(" ")
    if rest and scheme.lower() == "bearer":
        return rest.strip()
    return text or request.headers.get("X-Authorization", "").strip()


def _acceptable(request: web.Request) -> bool:
    accept = request.headers.get("Accept")
    if not accept:
        return True
    return any(part.partition(";")[0].strip().lower() in SERVABLE for part in accept.split(","))


def _counted(sandbox: Sandbox, account: Account, path: str) -> dict[str, str]:
    """Count the request against its token and path; the headers that tell how many are left.

    Raises:
        HttpError: 429.
    """
    options = sandbox.evotor
    if options.rate_limit is None:
        return {}
    seen = sandbox.evotor_windows.setdefault((account.token, path), deque())
    now = time.monotonic()
    while seen and now - seen[0] >= options.rate_window:
        seen.popleft()
    full = len(seen) >= options.rate_limit
    if not full:
        seen.append(now)
    headers = {
        "X-RateLimit-Limit": str(options.rate_limit),
        "X-RateLimit-Remaining": str(options.rate_limit - len(seen)),
        "X-RateLimit-Reset": str(math.ceil(options.rate_window - (now - seen[0])) if seen else 0),
    }
    if full:
        raise HttpError(429, {"code": "too_many_requests", "message": "rate limit exceeded"}, headers)
    return headers


def _admitted(request: web.Request, sandbox: Sandbox, method: str) -> Visit:
    if not _acceptable(request):
        raise HttpError(406)
    account = sandbox.accounts.get(_token(request))
    if account is None or account.revoked:
        raise HttpError(401)
    if account.uninstalled:
        raise forbidden()
    headers = _counted(sandbox, account, request.path.rstrip("/"))
    store_id = request.match_info.get("store")
    store = account.stores.get(store_id) if store_id is not None else None
    if store_id is not None and store is None:
        raise HttpError(404)
    return Visit(request, sandbox, method, account, store, headers)


def _list(visit: Visit, rows: list[bytes], following: str | None) -> bytes:
    if visit.fault is not None and visit.fault.kind == "empty_list":
        rows, following = [], None
    if visit.fault is not None and visit.fault.kind == "half_page":
        rows, following = rows[: len(rows) // 2], None
    paging = orjson.dumps({} if following is None else {"next_cursor": following})
    return b'{"items":[' + b",".join(rows) + b'],"paging":' + paging + b"}"


def _start(visit: Visit, kind: str) -> tuple[int, int | None]:
    """Where the page starts and since when rows count; with a cursor everything else is ignored."""
    text = visit.request.query.get("cursor")
    if text:
        try:
            return unseal(text, kind)
        except ValueError as error:
            raise invalid("cursor", "is malformed") from error
    since = visit.request.query.get("since") if kind.startswith("products") else None
    if since is None:
        return 0, None
    if not since.isascii() or not since.isdigit():
        raise invalid("since", "is not a number of milliseconds")
    return 0, int(since)


def stores(visit: Visit) -> bytes:
    """A page of stores."""
    visit.needs("store:read")
    after, _ = _start(visit, "stores")
    size = visit.sandbox.evotor.page_size
    every = list(visit.account.stores.values())
    rows = [orjson.dumps(store.described()) for store in every[after : after + size]]
    return _list(visit, rows, seal("stores", after + size, None) if len(every) > after + size else None)


def store(visit: Visit) -> bytes:
    """One store; being unpaid does not hide it."""
    visit.needs("store:read")
    if visit.store is None:
        raise HttpError(404)
    return orjson.dumps(visit.store.described())


def groups(visit: Visit) -> bytes:
    """A page of groups."""
    visit.needs("product-group:read")
    place = visit.opened
    kind = f"groups {place.id}"
    after, _ = _start(visit, kind)
    found, following = page(place.groups, after=after, size=visit.sandbox.evotor.page_size, keep=_any_group)
    return _list(
        visit, [place.group_body(g) for g in found], None if following is None else seal(kind, following, None)
    )


def _any_group(_group: Group) -> bool:
    return True


def group(visit: Visit) -> bytes:
    """One group."""
    visit.needs("product-group:read")
    place = visit.opened
    found = place.groups.get(visit.request.match_info["id"])
    if found is None:
        raise HttpError(404)
    return place.group_body(found)


def products(visit: Visit) -> bytes:
    """A page of products, of those changed since a moment if asked so."""
    visit.needs("product:read")
    place = visit.opened
    kind = f"products {place.id}"
    after, since = _start(visit, kind)

    def keep(product: Product) -> bool:
        return since is None or product.updated >= since

    found, following = page(place.products, after=after, size=visit.sandbox.evotor.page_size, keep=keep)
    with_quantity = "product.quantity:read" in visit.account.permissions
    rows = [place.product_body(product, with_quantity=with_quantity) for product in found]
    return _list(visit, rows, None if following is None else seal(kind, following, since))


def product(visit: Visit) -> bytes:
    """One product."""
    visit.needs("product:read")
    place = visit.opened
    found = place.products.get(visit.request.match_info["id"])
    if found is None:
        raise HttpError(404)
    return place.product_body(found, with_quantity="product.quantity:read" in visit.account.permissions)


ANSWERS = {
    "stores": stores,
    "store": store,
    "groups": groups,
    "group": group,
    "products": products,
    "product": product,
}


def _refused(fault: Fault | None) -> None:
    if fault is not None and fault.kind == "error":
        raise HttpError(fault.code)


async def _visit(request: web.Request, name: str) -> web.StreamResponse:
    sandbox, method = request.app[SANDBOX], f"evotor.{name}"
    label = sandbox.till_label_of(_token(request))
    arrival = sandbox.ledger.arrive(time.monotonic(), "evotor", label, method)
    fault = sandbox.faults.take(method, label, request.match_info.get("store", ""))
    try:
        await meet(sandbox, fault, after=False)
        await wait(sandbox, sandbox.latency.of(sandbox.latency.evotor))
        visit = _admitted(request, sandbox, method)
        visit.fault = fault
        _refused(fault)
        body = ANSWERS[name](visit)
        await meet(sandbox, fault, after=True)
    except HttpError as error:
        arrival.outcome = error.status
        sandbox.ledger.errors[f"{method}:{error.status}"] += 1
        if error.body is None:
            return web.Response(status=error.status, headers=error.headers)
        headers = {**error.headers, "Content-Type": MEDIA_TYPE}
        return web.Response(status=error.status, body=orjson.dumps(error.body), headers=headers)
    except BrokenTransportError as broken:
        arrival.outcome = broken.fault.status if broken.fault.kind == "http" else -1
        return await spoil(request, sandbox, broken.fault)
    return await reply(request, body, content_type=MEDIA_TYPE, fault=fault, headers=visit.headers)


def _route(path: str, name: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await _visit(request, name)

    for ending in ("", "/"):
        routes.get(f"/evotor{path}{ending}", allow_head=False)(answer)


for _path, _name in (
    ("/stores", "stores"),
    ("/stores/{store}", "store"),
    ("/stores/{store}/product-groups", "groups"),
    ("/stores/{store}/product-groups/{id}", "group"),
    ("/stores/{store}/products", "products"),
    ("/stores/{store}/products/{id}", "product"),
):
    _route(_path, _name)
