"""``/control``: the sandbox set and read from another process, in JSON."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Mapping

import orjson
from aiohttp import web

from evosync.sandbox.evotor.till import Product, Store
from evosync.sandbox.faults import Fault
from evosync.sandbox.keys import SANDBOX
from evosync.sandbox.options import EvotorOptions, Latency, VkOptions
from evosync.sandbox.seed import plain_catalog, seed_demo, seed_owner
from evosync.sandbox.state import Sandbox
from evosync.sandbox.vk.shop import Community, Item, availability

routes = web.RouteTableDef()
Settable = VkOptions | EvotorOptions | Latency
FAULT_FIELDS = frozenset(field.name for field in dataclasses.fields(Fault)) - {
    "id", "struck", "reached", "released", "only_if",
}  # fmt: skip


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value, default=str), status=status, content_type="application/json")


def _bad(reason: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=orjson.dumps({"error": reason}).decode(), content_type="application/json")


async def _body(request: web.Request) -> dict[str, object]:
    """The JSON object of the request, empty without a body."""
    raw = await request.read()
    try:
        body = orjson.loads(raw) if raw else {}
    except ValueError as error:
        raise _bad(str(error)) from error
    if not isinstance(body, dict):
        raise _bad("a JSON object is expected")
    return body


def _number(body: Mapping[str, object], name: str, default: int | None = None) -> int:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _bad(f"{name} must be a whole number")
    return value


def _text(body: Mapping[str, object], name: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str):
        raise _bad(f"{name} must be a text")
    return value


def _set(target: Settable, values: Mapping[str, object]) -> None:
    names = {field.name for field in dataclasses.fields(target)} - {"dice"}
    unknown = set(values) - names
    if unknown:
        raise _bad(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(sorted(names))}")
    for name, value in values.items():
        setattr(target, name, value)


def _options(sandbox: Sandbox) -> dict[str, object]:
    latency = {f.name: getattr(sandbox.latency, f.name) for f in dataclasses.fields(Latency) if f.name != "dice"}
    return {"vk": dataclasses.asdict(sandbox.vk), "evotor": dataclasses.asdict(sandbox.evotor), "latency": latency}


def _community(request: web.Request) -> Community:
    text = request.match_info["group"]
    found = request.app[SANDBOX].communities.get(int(text)) if text.isdigit() else None
    if found is None:
        raise web.HTTPNotFound
    return found


def _store(request: web.Request) -> Store:
    try:
        return request.app[SANDBOX].account(request.match_info["account"]).stores[request.match_info["store"]]
    except KeyError as error:
        raise web.HTTPNotFound from error


@routes.get("/control/options")
async def options(request: web.Request) -> web.Response:
    """All limits, habits and delays."""
    return _json(_options(request.app[SANDBOX]))


@routes.post("/control/options")
async def set_options(request: web.Request) -> web.Response:
    """Set some of them: ``{"vk": {...}, "evotor": {...}, "latency": {...}}``."""
    sandbox, body = request.app[SANDBOX], await _body(request)
    targets: dict[str, Settable] = {"vk": sandbox.vk, "evotor": sandbox.evotor, "latency": sandbox.latency}
    for name, values in body.items():
        if name not in targets or not isinstance(values, dict):
            raise _bad(f"{name}: expected vk, evotor or latency with an object")
        _set(targets[name], values)
    return _json(_options(sandbox))


def _described_fault(fault: Fault) -> dict[str, object]:
    seen: dict[str, object] = {name: getattr(fault, name) for name in FAULT_FIELDS}
    return seen | {
        "id": fault.id,
        "struck": fault.struck,
        "reached": fault.reached.is_set(),
        "released": fault.released.is_set(),
    }


def _fault(request: web.Request) -> Fault:
    for fault in request.app[SANDBOX].faults.everything:
        if str(fault.id) == request.match_info["id"]:
            return fault
    raise web.HTTPNotFound


@routes.post("/control/faults")
async def add_fault(request: web.Request) -> web.Response:
    """Put a fault in force; the fields are those of :class:`Fault`."""
    body = await _body(request)
    unknown = set(body) - FAULT_FIELDS
    if unknown or "kind" not in body:
        raise _bad(f"unknown: {sorted(unknown)}; known are {sorted(FAULT_FIELDS)}, kind is needed")
    kind, method = _text(body, "kind"), _text(body, "method", "*")
    rest = {name: value for name, value in body.items() if name not in ("kind", "method")}
    return _json(_described_fault(request.app[SANDBOX].fault(kind, method, **rest)), 201)


@routes.get("/control/faults")
async def faults(request: web.Request) -> web.Response:
    """All faults, used up ones too."""
    return _json([_described_fault(fault) for fault in request.app[SANDBOX].faults.everything])


@routes.get("/control/faults/{id}")
async def fault(request: web.Request) -> web.Response:
    """One fault. With ``?wait=SECONDS`` the answer waits until a call has reached it."""
    found = _fault(request)
    seconds = float(request.query.get("wait", "0"))
    if seconds > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(found.reached.wait(), seconds)
    return _json(_described_fault(found))


@routes.post("/control/faults/{id}/release")
async def release(request: web.Request) -> web.Response:
    """Let go what a hold holds."""
    _fault(request).release()
    return _json(_described_fault(_fault(request)))


@routes.delete("/control/faults")
async def clear_faults(request: web.Request) -> web.Response:
    """Drop all faults and release everything."""
    request.app[SANDBOX].faults.clear()
    return _json({"ok": True})


@routes.get("/control/counters")
async def counters(request: web.Request) -> web.Response:
    """Sums over everything seen since the last reset."""
    sandbox = request.app[SANDBOX]
    ledger = sandbox.ledger
    return _json(
        {
            "requests": {side: ledger.requests(side) for side in ("vk", "evotor", "upload")},
            "calls": dict(ledger.calls),
            "errors": dict(ledger.errors),
            "unknown_parameters": dict(ledger.unknown_parameters),
            "most_in_one_second": ledger.most_in_window(1.0),
            "labels": {token.text: token.label for token in sandbox.tokens.values()},
            "files_received": sandbox.upload_server.received,
            "writes": {str(c.id): dict(c.writes) for c in sandbox.communities.values() if c.writes},
        }
    )


@routes.get("/control/ledger")
async def ledger(request: web.Request) -> web.Response:
    """Every arrival from number ``?from=N`` on."""
    start = int(request.query.get("from", "0"))
    return _json([dataclasses.asdict(arrival) for arrival in request.app[SANDBOX].ledger.arrivals[start:]])


@routes.post("/control/reset")
async def reset(request: web.Request) -> web.Response:
    """Forget counters and ledger; with ``{"all": true}`` shops, tills, tokens and faults too."""
    sandbox, body = request.app[SANDBOX], await _body(request)
    if body.get("all"):
        sandbox.clear()
    else:
        sandbox.reset_counters()
    return _json({"ok": True})


@routes.post("/control/seed")
async def seed(request: web.Request) -> web.Response:
    """Add the demo shop, ``{"owners": N, "products": M}`` many shops, or one with a catalog given in full."""
    sandbox, body = request.app[SANDBOX], await _body(request)
    catalog = body.get("catalog")
    if catalog is not None and not isinstance(catalog, dict):
        raise _bad("catalog must be an object with groups and products")
    first = _number(body, "first") if "first" in body else None
    if "owners" not in body:
        seeded = [seed_demo(sandbox, catalog, first)]
    else:
        products = _number(body, "products", 500)
        goods = catalog if catalog is not None else plain_catalog(products)
        begin = len(sandbox.accounts) + 1
        seeded = [seed_owner(sandbox, n, goods, products) for n in range(begin, begin + _number(body, "owners"))]
    return _json([demo.described(str(request.url.origin())) for demo in seeded], 201)


@routes.post("/control/tokens")
async def change_token(request: web.Request) -> web.Response:
    """Change a token of either cloud: ``{"token": "...", "revoked": true, "scopes": [...], "uninstalled": true}``."""
    sandbox, body = request.app[SANDBOX], await _body(request)
    text = _text(body, "token")
    if text in sandbox.tokens:
        token = sandbox.tokens[text]
        token.revoked = bool(body.get("revoked", token.revoked))
        scopes = body.get("scopes")
        token.scopes = frozenset(map(str, scopes)) if isinstance(scopes, list) else token.scopes
    elif text in sandbox.accounts:
        account = sandbox.accounts[text]
        account.revoked = bool(body.get("revoked", account.revoked))
        account.uninstalled = bool(body.get("uninstalled", account.uninstalled))
        permissions = body.get("permissions")
        account.permissions = frozenset(map(str, permissions)) if isinstance(permissions, list) else account.permissions
    else:
        raise web.HTTPNotFound
    return _json({"ok": True})


def _item(item: Item, sandbox: Sandbox) -> dict[str, object]:
    seen: dict[str, object] = {
        field.name: getattr(item, field.name)
        for field in dataclasses.fields(item)
        if field.name not in ("head", "history")
    }
    seen["album_ids"] = list(item.album_ids)
    seen["availability"] = availability(item, zero_is_out=sandbox.vk.stock_zero_is_unavailable)
    seen["history"] = [dataclasses.asdict(write) for write in item.history]
    return seen


@routes.get("/control/vk/{group}")
async def community(request: web.Request) -> web.Response:
    """The whole shop with what only VK knows, deleted items included, and skus that stand on several items."""
    sandbox, found = request.app[SANDBOX], _community(request)
    albums = [
        {"id": a.id, "title": a.title, "hidden": a.hidden, "main": a.main, "item_ids": list(a.item_ids)}
        for a in found.albums.values()
    ]
    return _json(
        {
            "id": found.id,
            "name": found.name,
            "currency": found.currency,
            "market_enabled": found.market_enabled,
            "version": found.version,
            "writes": dict(found.writes),
            "duplicates": found.duplicates(),
            "albums": albums,
            "items": [_item(item, sandbox) for item in found.items.values()],
        }
    )


@routes.post("/control/vk/{group}")
async def change_community(request: web.Request) -> web.Response:
    """Change ``market_enabled``, ``currency``, ``deactivated`` or ``name``."""
    found, body = _community(request), await _body(request)
    unknown = set(body) - {"market_enabled", "currency", "deactivated", "name"}
    if unknown:
        raise _bad(f"unknown: {sorted(unknown)}")
    for name, value in body.items():
        setattr(found, name, value)
    for item in found.items.values():
        item.head = None
    found.changed()
    return _json({"ok": True})


@routes.post("/control/vk/{group}/items")
async def add_items(request: web.Request) -> web.Response:
    """Put items into the shop as its owner would: ``{"items": [{"name", "kopecks", "sku", ...}]}``."""
    sandbox, found, body = request.app[SANDBOX], _community(request), await _body(request)
    rows = body.get("items")
    if not isinstance(rows, list):
        raise _bad("items must be a list")
    made = [sandbox.add_item(found.id, **row).id for row in rows]
    return _json({"ids": made}, 201)


@routes.post("/control/vk/{group}/items/{item}")
async def change_item(request: web.Request) -> web.Response:
    """Change an item as its owner would; ``{"removed": true}`` deletes it."""
    sandbox, found, body = request.app[SANDBOX], _community(request), await _body(request)
    item_id = int(request.match_info["item"])
    if item_id not in found.items:
        raise web.HTTPNotFound
    if body.pop("removed", False):
        sandbox.remove_item(found.id, item_id)
    else:
        sandbox.change_item(found.id, item_id, **body)
    return _json(_item(found.items[item_id], sandbox))


def _product(product: Product) -> dict[str, object]:
    fields = {name: str(value) if name in ("price", "quantity") else value for name, value in product.fields.items()}
    return {"id": product.id, "updated": product.updated, **fields}


@routes.get("/control/till/{account}/{store}")
async def store(request: web.Request) -> web.Response:
    """A store with its groups and products."""
    found = _store(request)
    groups = [{"id": g.id, "name": g.name, "parent_id": g.parent_id} for g in found.groups.values()]
    products = [_product(product) for product in found.products.values()]
    return _json({"id": found.id, "unpaid": found.unpaid, "groups": groups, "products": products})


@routes.post("/control/till/{account}/{store}")
async def change_store(request: web.Request) -> web.Response:
    """Make many changes at once.

    ``unpaid`` sets 402; ``change`` maps product ids to fields; ``put`` maps ids to whole rows; ``remove`` lists ids;
    ``add_percent`` raises every price.
    """
    found, body = _store(request), await _body(request)
    found.unpaid = bool(body.get("unpaid", found.unpaid))
    for product_id, fields in _objects(body, "put").items():
        found.put_product(product_id, fields)
    for product_id, fields in _objects(body, "change").items():
        found.change_product(product_id, at=None, **fields)
    for product_id in body.get("remove") or []:  # type: ignore[attr-defined]  # a wrong type fails the caller's test
        found.remove_product(str(product_id))
    percent = body.get("add_percent")
    if isinstance(percent, int):
        for product in list(found.products.values()):
            if product.price:
                found.change_product(product.id, price=round(product.price * (100 + percent) / 100, 2))
    return _json({"ok": True, "products": len(found.products)})


def _objects(body: Mapping[str, object], name: str) -> dict[str, dict[str, object]]:
    value = body.get(name, {})
    if not isinstance(value, dict) or not all(isinstance(row, dict) for row in value.values()):
        raise _bad(f"{name} must map ids to objects")
    return value
