"""The webhooks: who calls, what it says, stored, answered. The work itself is others'."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from evosync.accounts import linking
from evosync.accounts.addresses import folded
from evosync.accounts.linking import Linked, NotLinked, Why
from evosync.accounts.throttle import TooFast
from evosync.db import till_accounts
from evosync.db.deliveries import Delivery, Kind, State, key_of
from evosync.db.till_accounts import SUBSCRIPTION_OVER, TillAccount
from evosync.domain.connection import Health
from evosync.security.passwords import TooMany
from evosync.web.keys import CLIENT, LINKS, THROTTLE
from evosync.web.services import Services
from evosync.web.webhooks import answers, bodies
from evosync.web.webhooks.answers import Refusal, answer
from evosync.web.webhooks.bodies import Named, Row
from evosync.web.webhooks.callers import Secrets, token_of
from evosync.web.webhooks.hearing import Hearing
from evosync.web.webhooks.paths import every_path

log = logging.getLogger(__name__)

MAX_BODY: Final = 32 * 1024 * 1024
"""Bytes. A shop of 15,000 products is about ten million."""
SMALL_BODY: Final = 64 * 1024
"""Bytes of what is about one account."""
EVENT_BODY: Final = 1024 * 1024
"""Bytes of an event that is signed: nobody knows who sends it before all of it was read."""

Hook = Callable[[web.Request], Awaitable[web.Response]]

_WHY: Final[dict[Why, Callable[[], Refusal]]] = {
    Why.WRONG_LOGIN: answers.wrong_login,
    Why.LINKED_ELSEWHERE: answers.linked_elsewhere,
    Why.HAS_ANOTHER: answers.known_already,
    Why.KNOWN_ADDRESS: answers.known_already,
}


class Webhooks:
    """All routes, and what goes on behind them while the application runs."""

    def __init__(self, services: Services, secrets: Sequence[str]) -> None:
        """`secrets`: the app's, the current one first; none: every call with it is refused."""
        self._services = services
        self._secrets = Secrets(secrets)
        self._hearing = Hearing(services.database, services.queue, services.clock)

    @property
    def routes(self) -> list[web.RouteDef]:
        hooks: dict[str, Hook] = {
            "/user/create": self.create,
            "/user/verify": self.verify,
            "/user/token": self.token,
            "/user/tariff": self.tariff,
            "/installation/event": self.installation,
            "/subscription/event": self.subscription,
            "/inventories/stores": self.stores,
            "/inventories/devices": self.devices,
            "/inventories/employees": self.employees,
            "/inventories/stores/{store}/products": self.products,
            "/inventories/stores/{store}/documents": self.documents,
            "/": self.documents,
            "/receipts": self.receipts,
            "/commodities": self.commodities,
            "/hooks/evotor": self.signed_event,
        }
        return [web.route(method, path, _guarded(hooks[tail])) for method, tail, path in every_path()]

    async def while_running(self, _app: web.Application) -> AsyncIterator[None]:
        """For `cleanup_ctx`."""
        async with self._hearing.running():
            yield

    async def create(self, request: web.Request) -> web.Response:
        row = await self._row(request)
        till_user, reached = bodies.till_user_of(row), bodies.reached_by(row)
        linked = await self._told(
            Delivery(Kind.CREATE, _at(request), till_user),
            self._desk(request).create(till_user, email=reached.email, phone=reached.phone, at=_at(request)),
        )
        await self._set_going(linked)
        await self._services.queue.send_letters()
        return answer({"userId": till_user, "token": linked.token})

    async def verify(self, request: web.Request) -> web.Response:
        row = await self._row(request)
        till_user = bodies.till_user_of(row)
        name = bodies.required_text(row, "username", "login", "email")
        password = bodies.required_text(row, "password", longest=1_000)
        try:
            linked = await self._told(
                Delivery(Kind.VERIFY, _at(request), till_user),
                self._desk(request).verify(
                    till_user, email=folded(name), password=password, address=request[CLIENT].address, at=_at(request)
                ),
            )
        except TooFast as error:
            raise answers.wrong_login(retry=max(1, int(error.wait / timedelta(seconds=1)))) from error
        await self._set_going(linked)
        return answer({"userId": till_user, "hasBilling": False, "token": linked.token})

    async def token(self, request: web.Request) -> web.Response:
        row = await self._row(request)
        till_user, token = bodies.till_user_of(row), bodies.cloud_token_of(row)
        try:
            user = await self._desk(request).take_token(till_user, token, at=_at(request))
        except NotLinked as error:
            refusal = _WHY[error.why]()
            raise refusal from error
        if user is not None:
            await self._services.queue.nudge(user)
        return answer({})

    async def tariff(self, request: web.Request) -> web.Response:
        """Withdrawn in 2017; what it told comes as subscription events."""
        bodies.till_user_of(await self._row(request))
        return answer({})

    async def installation(self, request: web.Request) -> web.Response:
        caller = await self._either(request)
        row = bodies.as_object(await _body(request, SMALL_BODY))
        inner = row.get("data")
        about = {**row, **inner} if isinstance(inner, dict) else row
        till_user = bodies.till_user_of(about)
        _same_owner(caller, till_user)
        self._same_app(about)
        told, event = bodies.required_text(row, "type"), bodies.required_text(row, "id")
        facts = {"type": told, "id": event, "time": bodies.moment_of(row.get("timestamp"))}
        key = key_of(Kind.INSTALLATION, event)
        return await self._event(request, Delivery(Kind.INSTALLATION, _at(request), till_user, key=key, facts=facts))

    async def subscription(self, request: web.Request) -> web.Response:
        caller = await self._either(request)
        row = bodies.as_object(await _body(request, SMALL_BODY))
        till_user = bodies.till_user_of(row)
        _same_owner(caller, till_user)
        self._same_app(row)
        told, subscription = bodies.required_text(row, "type"), bodies.required_text(row, "subscriptionId")
        number = row.get("sequenceNumber")
        if number is None:
            raise answers.missing("sequenceNumber")
        if not bodies.is_number(number) or number < 0 or number != int(number):
            raise answers.incorrect("sequenceNumber")
        facts = {"type": told, "subscription": subscription, "number": number}
        key = key_of(Kind.SUBSCRIPTION, subscription, number)
        return await self._event(request, Delivery(Kind.SUBSCRIPTION, _at(request), till_user, key=key, facts=facts))

    async def stores(self, request: web.Request) -> web.Response:
        owner = await self._owner(request)
        return await self._hint(request, owner, Kind.STORES, bodies.stores_named, lost=Named(everywhere=True))

    async def products(self, request: web.Request) -> web.Response:
        owner = await self._owner(request)
        named = bodies.of_store(request.match_info["store"])

        def read(value: Any) -> Named:
            bodies.rows_of(value)
            return named

        return await self._hint(request, owner, Kind.PRODUCTS, read, lost=named)

    async def documents(self, request: web.Request) -> web.Response:
        owner = await self._owner(request)
        store = request.match_info.get("store", "")
        lost = bodies.of_store(store) if store else Named(everywhere=True)
        return await self._hint(
            request, owner, Kind.DOCUMENTS, lambda value: bodies.sold(value, store=store), lost=lost
        )

    async def receipts(self, request: web.Request) -> web.Response:
        owner = await self._owner(request)
        return await self._hint(request, owner, Kind.RECEIPTS, bodies.sold, lost=Named(everywhere=True))

    async def devices(self, request: web.Request) -> web.Response:
        return await self._drop(request, Kind.DEVICES)

    async def employees(self, request: web.Request) -> web.Response:
        return await self._drop(request, Kind.EMPLOYEES)

    async def commodities(self, request: web.Request) -> web.Response:
        """A lookup by bar code, which is no business of ours: nothing was found."""
        await self._owner(request)
        raise answers.nothing_here()

    async def signed_event(self, request: web.Request) -> web.Response:
        """The newer events, signed with the app's secret (Evotor FACTS 4.7)."""
        body = await _read(request, EVENT_BODY)
        if not self._secrets.signed(body, request.headers.get("X-Hub-Signature", "")):
            raise answers.wrong_secret()
        row = bodies.as_object(bodies.parsed(body))
        payload = row.get("payload")
        till_user = bodies.till_user_of(payload if isinstance(payload, dict) else row)
        found = await self._services.database.read(lambda connection: till_accounts.by_till(connection, till_user))
        named = bodies.event_named(row)
        if found is not None and row.get("type") in {
            "StoreEvent",
            "ProductEvent",
            "ProductGroupEvent",
            "DocumentEvent",
        }:
            kind = Kind.RECEIPTS if row["type"] == "DocumentEvent" else Kind.EVENT
            await self._keep(request, found, kind, named)
        return answer({})

    async def _row(self, request: web.Request) -> Row:
        """The body of a call with the app's secret; its sender is looked at before it is read."""
        self._secrets.require(request)
        return bodies.as_object(await _body(request, SMALL_BODY))

    async def _owner(self, request: web.Request) -> TillAccount:
        """Whose user token was shown. Raises `Refusal` with 401/1002."""
        token, sealer = token_of(request), self._services.sealer
        found = await self._services.database.read(
            lambda connection: till_accounts.by_token(connection, token, sealer=sealer)
        )
        if found is None:
            raise answers.wrong_token()
        said = request.headers.get("X-Evotor-User-Id", "")
        if said and said != found.till_user:
            raise answers.incorrect("userId", said)
        return found

    async def _either(self, request: web.Request) -> TillAccount | None:
        """Sources disagree on what these events carry: the app's secret (None), or a user token (Evotor FACTS 4.4)."""
        try:
            self._secrets.require(request)
        except Refusal as wrong:
            try:
                return await self._owner(request)
            except Refusal as error:
                raise (wrong if error.status == HTTPStatus.UNAUTHORIZED else error) from None
        return None

    def _same_app(self, row: Row) -> None:
        """`productId` is the application's (Evotor FACTS 4.2).

        Refused and not dropped: so a mistake in the setting costs nothing, for the cloud repeats the event for days.
        """
        ours, named = self._services.site.till_app, row.get("productId")
        if ours and named is not None and str(named).casefold() != ours.casefold():
            log.warning("an event for another application was refused: is EVOTOR_APP_ID right?")
            raise answers.incorrect("productId", named)

    async def _event(self, request: web.Request, delivery: Delivery) -> web.Response:
        user = await self._desk(request).event(delivery)
        if user is not None:
            await self._services.queue.nudge(user)
        else:
            await self._services.queue.send_letters()
        return answer({})

    async def _hint(
        self, request: web.Request, owner: TillAccount, kind: Kind, read: Callable[[Any], Named], *, lost: Named
    ) -> web.Response:
        """Stored, answered, and wished for afterwards. `lost`: where to look although the body makes no sense."""
        if owner.health is Health.PARKED and owner.reason == SUBSCRIPTION_OVER:
            raise answers.not_paid(owner.till_user)
        try:
            value = bodies.parsed(await _read(request, MAX_BODY))
            named = read(value)
        except Refusal as error:
            # The sender is known and something did happen: his till is looked at all the same.
            await self._keep(request, owner, kind, lost, code=error.error["code"])
            raise
        for till_user in bodies.users_of(value):
            _same_owner(owner, till_user)
        await self._keep(request, owner, kind, named)
        return answer({})

    async def _keep(
        self, request: web.Request, owner: TillAccount, kind: Kind, named: Named, *, code: int | None = None
    ) -> None:
        is_sale = kind in {Kind.DOCUMENTS, Kind.RECEIPTS}
        of_use = owner.health is not Health.PARKED and (owner.counts_stock or not is_sale)
        of_use = of_use and (named.everywhere or bool(named.stores))
        at = _at(request)
        await self._hearing.keep(
            Delivery(
                kind,
                at,
                owner.till_user or None,
                owner.user,
                facts=named.facts(),
                state=State.WAITING if of_use else State.DROPPED,
                code=code,
                done_at=None if of_use else at,
            )
        )
        if of_use:
            self._hearing.heard(owner.user)

    async def _drop(self, request: web.Request, kind: Kind) -> web.Response:
        owner, at = await self._owner(request), _at(request)
        value = await _body(request, MAX_BODY)
        bodies.rows_of(value)
        for till_user in bodies.users_of(value):
            _same_owner(owner, till_user)
        await self._hearing.keep(
            Delivery(kind, at, owner.till_user or None, owner.user, state=State.DROPPED, done_at=at)
        )
        return answer({})

    async def _told(self, delivery: Delivery, work: Awaitable[Linked]) -> Linked:
        """Raises `Refusal`. A refusal that is about a known account stands in its log."""
        try:
            return await work
        except NotLinked as error:
            refusal = _WHY[error.why]()
            if error.user is not None:
                done = {"user": error.user, "state": State.REFUSED, "code": refusal.error["code"]}
                await self._hearing.keep(replace(delivery, done_at=delivery.received_at, **done))
            raise refusal from error

    async def _set_going(self, linked: Linked) -> None:
        if linked.due:
            await self._services.queue.nudge(linked.user)

    def _desk(self, request: web.Request) -> linking.Desk:
        services = self._services
        return linking.Desk(
            database=services.database,
            sealer=services.sealer,
            passwords=services.passwords,
            throttle=request.app[THROTTLE],
            links=request.app[LINKS],
            whose=self._whose,
            sms=services.site.sms,
        )

    async def _whose(self, token: str) -> str:
        return (await self._services.test_till(token)).till_user


def _guarded(hook: Hook) -> Hook:
    """Refusals in Evotor's shape; a database or Redis that is away brings the delivery again."""

    async def handle(request: web.Request) -> web.Response:
        try:
            return await hook(request)
        except Refusal as error:
            return error.answer()
        except TooMany:
            return answers.not_now().answer()
        except (SQLAlchemyError, RedisError, OSError) as error:
            # The kind alone: the text of a database error quotes what was to be written.
            log.error("a webhook could not be kept", extra={"error": type(error).__name__})  # noqa: TRY400 - as said
            return answers.not_now().answer()

    return handle


def _at(request: web.Request) -> Any:
    return request[CLIENT].at


def _same_owner(caller: TillAccount | None, till_user: str) -> None:
    """A user token speaks for its own till alone."""
    if caller is not None and caller.till_user and till_user != caller.till_user:
        raise answers.incorrect("userId", till_user)


async def _body(request: web.Request, most: int) -> Any:
    return bodies.parsed(await _read(request, most))


async def _read(request: web.Request, most: int) -> bytes:
    """Raises `Refusal` for a body that is larger, or packed in a way that cannot be undone."""
    if (request.content_length or 0) > most:
        raise answers.too_large()
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.content.iter_any():
            size += len(part)  # as unpacked
            if size > most:
                raise answers.too_large()
            parts.append(part)
    except (RequestPayloadError, ConnectionResetError) as error:  # badly packed, or hung up on us
        raise answers.unreadable() from error
    return b"".join(parts)


__all__ = ["MAX_BODY", "SMALL_BODY", "Webhooks"]
