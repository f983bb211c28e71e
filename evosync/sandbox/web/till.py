"""``/till/{account}``: the catalog of a till, to be changed by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from aiohttp import web

from evosync.sandbox.evotor.till import Account, Product, Store, decimal
from evosync.sandbox.keys import SANDBOX
from evosync.sandbox.web.show import Pager, render, tongue
from evosync.sandbox.web.words import WORDS

ON_PAGE = 25
routes = web.RouteTableDef()


def _account(request: web.Request) -> Account:
    try:
        return request.app[SANDBOX].account(request.match_info["account"])
    except KeyError as error:
        raise web.HTTPNotFound from error


def _store(request: web.Request, account: Account) -> Store:
    """The store named in the path, or in the query, or the first."""
    store_id = request.match_info.get("store") or request.query.get("store", "")
    if not store_id:
        return account.first
    if store_id not in account.stores:
        raise web.HTTPNotFound
    return account.stores[store_id]


def _number(value: object) -> str:
    """A decimal for a form field, with the comma that Russian tills use."""
    return "" if value is None else format(Decimal(str(value)).normalize(), "f").replace(".", ",")


def _price(price: Decimal | None) -> str:
    """Roubles for a form field: ``46`` or ``58,50``."""
    if price is None or price == price.to_integral_value():
        return _number(price)
    return f"{price:.2f}".replace(".", ",")


def _row(product: Product, store: Store) -> dict[str, object]:
    fields = product.fields
    group = store.groups.get(product.parent_id or "")
    return {
        "id": product.id,
        "name": product.name,
        "code": fields.get("code", ""),
        "price": _price(product.price),
        "quantity": _number(fields.get("quantity")),
        "unit": fields.get("measure_name", ""),
        "group": group.name if group else "",
        "sold": bool(fields.get("allow_to_sell", True)),
    }


def _group_options(store: Store) -> list[tuple[str, str]]:
    """Groups with their parents in front, so that two of one name can be told apart."""
    titles: dict[str, str] = {}
    for group in store.groups.values():
        above = titles.get(group.parent_id or "")
        titles[group.id] = f"{above} / {group.name}" if above else group.name
    return list(titles.items())


def _note(request: web.Request) -> str:
    """What the last deed led to, if the address says something that has words."""
    note = request.query.get("note", "")
    return note if f"note_{note}" in WORDS else ""


@routes.get("/till/{account}")
async def till(request: web.Request) -> web.Response:
    """The catalog of one store, searched and in pages."""
    account = _account(request)
    store = _store(request, account)
    query, group = request.query.get("q", "").strip(), request.query.get("group", "")
    products = list(store.products.values())
    if group:
        wanted = None if group == "-" else group
        products = [p for p in products if (p.parent_id if p.parent_id in store.groups else None) == wanted]
    folded = query.casefold()
    if folded:
        products = [p for p in products if folded in p.name.casefold() or folded == str(p.fields.get("code", ""))]
    pager = Pager.of(request, len(products), ON_PAGE)
    values = {
        "account": account,
        "store": store,
        "rows": [_row(product, store) for product in products[pager.cut(ON_PAGE)]],
        "groups": _group_options(store),
        "group_rows": [(group.id, group.name) for group in store.groups.values()],
        "query": query,
        "group": group,
        "pager": pager,
        "found": len(products),
        "note": _note(request),
        "path": f"/till/{account.user_id}",
    }
    return render(request, "till.html", values)


def _back(request: web.Request, store: Store, note: str, at: str = "") -> web.HTTPSeeOther:
    """Back to the page the form was on, with a word on what happened."""
    kept = {name: request.query.get(name, "") for name in ("q", "group", "page")}
    path = f"/till/{request.match_info['account']}"
    return web.HTTPSeeOther(tongue(request).link(path, store=store.id, note=note, **kept) + (f"#{at}" if at else ""))


async def _form(request: web.Request) -> Mapping[str, str]:
    return {name: value.strip() for name, value in (await request.post()).items() if isinstance(value, str)}


@dataclass(frozen=True, slots=True)
class Numbers:
    """Price and stock of a form; None where the field was left empty, which takes the value away."""

    price: Decimal | None
    quantity: Decimal | None


def _numbers(form: Mapping[str, str]) -> Numbers | None:
    """Both numbers, None when one of them is no number."""
    found: list[Decimal | None] = []
    for name in ("price", "quantity"):
        text = form.get(name, "").replace("\u00a0", "").replace(" ", "")
        try:
            found.append(decimal(text) if text else None)
        except ValueError:
            return None
    return Numbers(*found)


@routes.post("/till/{account}/{store}/products/{id}")
async def change_product(request: web.Request) -> web.StreamResponse:
    """Save, take off sale or put back, or delete, whichever button was pressed."""
    store = _store(request, _account(request))
    form, product_id = await _form(request), request.match_info["id"]
    product = store.products.get(product_id)
    if product is None:
        raise _back(request, store, "gone")
    act, at = form.get("act", "save"), f"p-{product_id}"
    if act == "delete":
        store.remove_product(product_id)
        raise _back(request, store, "deleted")
    if act == "toggle":
        sold = not product.fields.get("allow_to_sell", True)
        store.change_product(product_id, allow_to_sell=sold)
        raise _back(request, store, "on" if sold else "off", at)
    values = _numbers(form)
    if values is None:
        raise _back(request, store, "bad_number", at)
    if not form.get("name"):
        raise _back(request, store, "bad_name", at)
    store.change_product(product_id, name=form["name"], price=values.price, quantity=values.quantity)
    raise _back(request, store, "saved", at)


@routes.post("/till/{account}/{store}/products")
async def add_product(request: web.Request) -> web.StreamResponse:
    """Add a product."""
    store = _store(request, _account(request))
    form = await _form(request)
    values = _numbers(form)
    if values is None:
        raise _back(request, store, "bad_number")
    if not form.get("name"):
        raise _back(request, store, "bad_name")
    group_id = form.get("group", "")
    store.add_product(
        form["name"],
        values.price,
        quantity=values.quantity,
        description=form.get("description", ""),
        measure_name=form.get("unit") or "шт",
        parent_id=group_id if group_id in store.groups else None,
        code=str(store.seq + 1),
    )
    raise _back(request, store, "added")


@routes.post("/till/{account}/{store}/groups")
async def add_group(request: web.Request) -> web.StreamResponse:
    """Add a group."""
    store = _store(request, _account(request))
    form = await _form(request)
    if not form.get("name"):
        raise _back(request, store, "bad_name")
    parent_id = form.get("group", "")
    store.add_group(form["name"], parent_id=parent_id if parent_id in store.groups else None)
    raise _back(request, store, "added")


@routes.post("/till/{account}/{store}/groups/{id}")
async def change_group(request: web.Request) -> web.StreamResponse:
    """Rename a group, or delete it."""
    store = _store(request, _account(request))
    form, group_id = await _form(request), request.match_info["id"]
    if group_id not in store.groups:
        raise _back(request, store, "gone")
    if form.get("act") == "delete":
        store.remove_group(group_id)
        raise _back(request, store, "deleted")
    if not form.get("name"):
        raise _back(request, store, "bad_name")
    store.change_group(group_id, name=form["name"])
    raise _back(request, store, "renamed")


@routes.post("/till/{account}/{store}/paying")
async def change_paying(request: web.Request) -> web.StreamResponse:
    """Pay for the store's terminals, or stop: 402."""
    store = _store(request, _account(request))
    store.unpaid = not store.unpaid
    raise _back(request, store, "paid")
