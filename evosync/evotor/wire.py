"""Evotor's answers as domain values or domain errors; no input or output.

Lenient where a field is unknown, missing or null, strict where a misreading would make goods
vanish: a body that is not the promised envelope, or a row without an id, spoils the whole answer.
Names of API v1 and numbers sent as strings are understood (Evotor FACTS 2).
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from http import HTTPStatus
from math import isfinite
from typing import TypeVar, cast

import orjson

from evosync.domain.catalog import Group, Product, Store
from evosync.domain.errors import (
    CloudError,
    NotFound,
    Operators,
    Rejected,
    Side,
    Throttled,
    Unavailable,
    Unpaid,
)
from evosync.domain.ids import LONGEST, GroupId, ProductId, StoreId
from evosync.domain.making import maker

Row = Mapping[str, object]
Kind = TypeVar("Kind", Store, Group, Product)
Parse = Callable[[Iterable[Row]], tuple[Kind, ...]]

MAX_KOPECKS = 10**12
"""Evotor's own limit is a thousand times lower (Evotor FACTS 1.6); beyond this a price is nonsense."""

_product = maker(Product)
_MAX_QUANTITY = 10**12
_CENT = Decimal("0.01")
_GRAM = Decimal("0.001")
_MEANING: Mapping[int, type[CloudError]] = {
    401: Rejected,
    402: Unpaid,
    403: Rejected,
    404: NotFound,
    **dict.fromkeys((400, 405, 406, 413, 414, 415, 422), Operators),
}
_LONGEST_WAIT = 86_400.0
_AN_INSTANT = 1e9
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing; `cursor` is empty on the last one (Evotor FACTS 1.2)."""

    rows: tuple[Row, ...]
    cursor: str = ""


def page(body: bytes) -> Page:
    """The rows of an `items` + `paging` envelope, or of v1's bare array. Raises `Unavailable`."""
    match _json(body):
        case {"items": list(items), **rest}:
            return Page(_rows(items), _cursor(rest.get("paging")))
        case list(items):
            return Page(_rows(items))
        case _:
            raise broken("not a listing")


def row(body: bytes) -> Row:
    """A single object. Raises `Unavailable`."""
    return _rows([_json(body)])[0]


def stores(rows: Iterable[Row]) -> tuple[Store, ...]:
    return unique(
        Store(
            id=StoreId(_id(r)),
            name=_text(r.get("name")),
            address=_text(r.get("address")),
            till_user=_ident(r.get("user_id")),
        )
        for r in rows
    )


def groups(rows: Iterable[Row], store: StoreId) -> tuple[Group, ...]:
    """The groups; product rows of a mixed v1 array are passed over."""
    return unique(
        Group(
            id=GroupId(_id(r)),
            store=store,
            name=_text(r.get("name")),
            parent=_parent(r),
            holds_modifications=bool(r.get("attributes")) or r.get("hasVariants") is True,
        )
        for r in rows
        if r.get("group", True) is True
    )


def products(rows: Iterable[Row], store: StoreId) -> tuple[Product, ...]:
    """The products; group rows of a mixed v1 array are passed over. Ids may still repeat, see `unique`."""
    return tuple([product(r, store) for r in rows if r.get("group") is not True])


def product(r: Row, store: StoreId) -> Product:
    """One product of `store`, which the caller knows better than the row (Evotor FACTS 6: case may differ)."""
    ident = ProductId(_id(r))
    name = _text(r.get("name"))
    group = _parent(r)
    price = kopecks(r.get("price"))
    stock = quantity(r.get("quantity"))
    unit = _text(r.get("measure_name") or r.get("measureName"))
    kind = _text(r.get("type")) or "NORMAL"
    sellable = _sellable(r)
    description = _text(r.get("description"))
    code = _text(r.get("code"))
    article = _text(r.get("article_number") or r.get("articleNumber"))
    updated_at = instant(r.get("updated_at"))
    return _product(
        ident,
        store,
        name,
        group,
        price,
        stock,
        unit,
        kind,
        sellable,
        description,
        code,
        article,
        updated_at,
        _digest(
            ident,
            store,
            name,
            group,
            price,
            None if stock is None else str(stock),
            unit,
            kind,
            sellable,
            description,
            code,
            article,
            r.get("updated_at"),
        ),
    )


def unique(found: Iterable[Kind]) -> tuple[Kind, ...]:
    """One entry per id. Of two the later `updated_at` stays, and where that does not decide the last.

    A row comes twice when the catalogue changes while its pages are read.
    """
    kept: dict[str, Kind] = {}
    for one in found:
        before = kept.get(one.id)
        if before is None or not _older(one, before):
            kept[one.id] = one
    return tuple(kept.values())


def kopecks(price: object) -> int | None:
    """Roubles (number or text) as whole kopecks, a half upwards; None for missing, negative or absurd.

    Exact although JSON numbers arrive as floats: below 2**53 kopecks `n / 100` is the float nearest
    to n kopecks, which is what a parser makes of the same number in text. So where it gives the
    price back, n is what Evotor wrote. Any other price has more than two decimals, and its `repr`,
    the shortest text for that float, is what Evotor wrote.
    """
    if type(price) is float and abs(price) < MAX_KOPECKS:
        near = round(price * 100)
        if near / 100 == price:
            return near if 0 <= near <= MAX_KOPECKS else None
    exact = _decimal(price)
    if exact is None or not 0 <= exact <= MAX_KOPECKS // 100:
        return None
    return int(exact.quantize(_CENT, ROUND_HALF_UP) * 100)


def quantity(stock: object) -> Decimal | None:
    """Stock to a thousandth, in one form for one value; may be negative (Evotor FACTS 1.6)."""
    if type(stock) is int and abs(stock) <= _MAX_QUANTITY:
        return Decimal(stock)
    exact = _decimal(stock)
    if exact is None or abs(exact) > _MAX_QUANTITY:
        return None
    exact = exact.quantize(_GRAM, ROUND_HALF_UP)
    whole = int(exact)
    return Decimal(whole) if whole == exact else exact.normalize()


def instant(text: object) -> datetime | None:
    """An ISO time (`+0000`, `Z`, no zone: UTC) or Unix milliseconds, in UTC; None if it is neither."""
    try:
        if isinstance(text, str) and text:
            when = datetime.fromisoformat(text)
            return when if when.tzinfo is UTC else _in_utc(when)
        if isinstance(text, int | float) and not isinstance(text, bool):
            return datetime.fromtimestamp(text / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def millis(when: datetime) -> int:
    """Unix milliseconds, the unit of `since` (Evotor FACTS 1.2), rounded down."""
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def failure(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> CloudError | None:
    """What an answer's status means, None for success; bodies of errors are never relied upon (Evotor FACTS 3)."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    code = f"Evotor {status}"
    detail = _message(body)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(Side.EVOTOR, code, detail, wait=wait(headers, now=now))
    return _MEANING.get(status, Unavailable)(Side.EVOTOR, code, detail)


def wait(headers: Mapping[str, str], *, now: datetime) -> timedelta | None:
    """How long a 429 asks to hold back: `Retry-After`, else `X-RateLimit-Reset` in seconds (Evotor FACTS 3).

    A reset that can only be a Unix time is read as one. At most a day.
    """
    asked = headers.get("Retry-After", "").strip()
    seconds = _seconds(asked)
    if seconds is None and asked:
        try:
            seconds = (_in_utc(parsedate_to_datetime(asked)) - now).total_seconds()
        except ValueError:
            seconds = None
    if seconds is None:
        seconds = _seconds(headers.get("X-RateLimit-Reset", "").strip())
        if seconds is not None and seconds > _AN_INSTANT:
            seconds -= now.timestamp()
    if seconds is None:
        return None
    return timedelta(seconds=min(max(seconds, 0.0), _LONGEST_WAIT))


def broken(why: str) -> Unavailable:
    """An answer that says success and makes no sense."""
    return Unavailable(Side.EVOTOR, "Evotor body", why)


def _digest(*values: object) -> bytes:
    """`domain.digest` for values that came from JSON, in a third of its time: a listing has thousands of rows."""
    return blake2b(orjson.dumps(values), digest_size=12).digest()


def _json(body: bytes) -> object:
    try:
        return cast("object", orjson.loads(body))
    except orjson.JSONDecodeError as error:
        whole = _with_whole_characters(body)
        if whole is None:
            raise broken("not JSON") from error
        return whole


def _with_whole_characters(body: bytes) -> object:
    """JSON in which some text was cut in the middle of an emoji; None if that is not what is wrong with it.

    Half a character comes as an escape, and only a lenient parser reads it; a question mark takes its place.
    """
    if not _HALF.search(body):
        return None
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
        return cast("object", orjson.loads(text.encode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return None


def _rows(items: list[object]) -> tuple[Row, ...]:
    if set(map(type, items)) <= {dict}:
        return tuple(cast("list[Row]", items))
    raise broken("a row is not an object")


def _cursor(paging: object) -> str:
    match paging:
        case None:
            return ""
        case {"next_cursor": str(cursor)}:
            return cursor
        case dict() if cast("Row", paging).get("next_cursor") is None:
            return ""
        case _:
            raise broken("paging makes no sense")


def _id(r: Row) -> str:
    ident = _ident(r.get("id") or r.get("uuid"))
    if not ident:
        raise broken("a row without an id")
    return ident


def _ident(value: object) -> str:
    """An id; one too long to be kept has its digest in place of its end, so that a single odd row stops no shop."""
    text = _text(value)
    if len(text) <= LONGEST:
        return text
    return f"{text[:50]}~{_digest(text).hex()}"


def _parent(r: Row) -> GroupId:
    return GroupId(_ident(r.get("parent_id") or r.get("parentUuid")))


def _text(value: object) -> str:
    if type(value) is str:
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _sellable(r: Row) -> bool:
    """Only a clear no counts: null and absence forbid nothing."""
    flag = r.get("allow_to_sell")
    if flag is None:
        flag = r.get("allowToSell")
    return flag is not False and str(flag).casefold() != "false"


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        exact = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation:
        try:
            exact = Decimal(str(value).replace("\N{NO-BREAK SPACE}", "").replace(" ", "").replace(",", "."))
        except InvalidOperation:
            return None
    return exact if exact.is_finite() else None


def _in_utc(when: datetime) -> datetime:
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def _older(one: object, other: object) -> bool:
    when, then = getattr(one, "updated_at", None), getattr(other, "updated_at", None)
    return when is not None and then is not None and when < then


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if isfinite(seconds) else None


def _message(body: bytes) -> str:
    try:
        said = cast("object", orjson.loads(body))
    except orjson.JSONDecodeError:
        return ""
    match said:
        case {"message": str(message)}:
            return " ".join(message.split())[:200]
        case _:
            return ""
