"""What the cloud says of an installation or a subscription, and any of its deliveries done once more."""

from dataclasses import replace
from datetime import datetime
from enum import Enum, auto

from sqlalchemy.ext.asyncio import AsyncConnection

from evosync.accounts.letters import tell
from evosync.db import deliveries, mirrors, till_accounts, trail
from evosync.db.deliveries import Delivery, Kind, Known, State
from evosync.db.till_accounts import SUBSCRIPTION_OVER, UNINSTALLED, TillAccount
from evosync.domain.connection import Health
from evosync.domain.ids import UserId
from evosync.domain.mirror import Reason, Scope
from evosync.words.letters import Kind as Letter


class Replayed(Enum):
    """What a replay led to. `LATE`: the cloud has said something newer since. `NOTHING`: it is so already."""

    DUE = auto()
    PARKED = auto()
    LATE = auto()
    NOTHING = auto()


async def obey(connection: AsyncConnection, delivery: Delivery) -> UserId | None:
    """Stores an event and does what it says. The owner whose run is due now, None if nobody's is.

    One that came before changes nothing, nor does one that is older than what is known already.
    """
    await till_accounts.lock(connection, delivery.till_user or "")
    known = await till_accounts.by_till(connection, delivery.till_user or "")
    is_late = await _is_late(connection, delivery)
    try:
        await deliveries.add(connection, _done(delivery, known, is_late=is_late))
    except Known:
        return None
    if known is None or is_late:
        return None
    became = await _carry_out(connection, known, delivery)
    return known.user if became is Replayed.DUE else None


async def replay(connection: AsyncConnection, found: Delivery, *, at: datetime) -> Replayed:
    """Does a delivery of an owner once more.

    What the cloud said of an installation or a subscription is obeyed anew, unless something newer was said; all
    else only says where to look, so that a full run does it and more.
    """
    if found.user is None:
        return Replayed.NOTHING
    known = await till_accounts.by_user(connection, found.user)
    became = Replayed.NOTHING
    if known is None:
        pass
    elif found.kind in {Kind.INSTALLATION, Kind.SUBSCRIPTION}:
        is_late = await _is_late(connection, found)
        became = Replayed.LATE if is_late else await _carry_out(connection, known, replace(found, received_at=at))
    elif known.is_connected and known.health is not Health.PARKED:
        await mirrors.want(connection, found.user, scope=Scope.FULL, reason=Reason.REPLAY, at=at)
        became = Replayed.DUE
    if became in {Replayed.DUE, Replayed.PARKED}:
        await deliveries.finish(connection, [found.id], at=at)
    return became


async def _carry_out(connection: AsyncConnection, known: TillAccount, delivery: Delivery) -> Replayed:
    match delivery.facts.get("type"):
        case "ApplicationUninstalled":
            return await _park(connection, known, UNINSTALLED, at=delivery.received_at)
        case "SubscriptionTerminated" if not await _is_paid(connection, delivery.till_user or ""):
            return await _park(connection, known, SUBSCRIPTION_OVER, at=delivery.received_at)
        case "ApplicationInstalled" if known.health is Health.PARKED:
            if await _is_paid(connection, delivery.till_user or ""):
                return await _resume(connection, known, at=delivery.received_at)
            # It is there again and not paid for: the subscription's next event lets it go on.
            return await _park(connection, known, SUBSCRIPTION_OVER, at=delivery.received_at)
        case "SubscriptionCreated" | "SubscriptionActivated" | "SubscriptionRenewed" if known.health is Health.PARKED:
            # What ended the one does not begin with the other: a renewal does not install the app again.
            if known.reason == SUBSCRIPTION_OVER:
                return await _resume(connection, known, at=delivery.received_at)
    return Replayed.NOTHING


async def _park(connection: AsyncConnection, known: TillAccount, reason: str, *, at: datetime) -> Replayed:
    """Nothing is read or written any more, VK stays as it is, and the owner is told, once."""
    was_parked = known.health is Health.PARKED
    if not await till_accounts.park(connection, known.user, reason=reason, at=at):
        return Replayed.NOTHING
    if not was_parked:
        await tell(connection, known.user, Letter.EVOTOR_PARKED, at=at, since_at=at, code=reason)
    await trail.record(connection, "till_parked", actor=None, user=known.user, at=at, code=reason)
    return Replayed.PARKED


async def _resume(connection: AsyncConnection, known: TillAccount, *, at: datetime) -> Replayed:
    await till_accounts.unpark(connection, known.user)
    await mirrors.want(connection, known.user, scope=Scope.FULL, reason=Reason.CONNECTED, at=at)
    await trail.record(connection, "till_resumed", actor=None, user=known.user, at=at)
    return Replayed.DUE


def _done(delivery: Delivery, known: TillAccount | None, *, is_late: bool) -> Delivery:
    return replace(
        delivery,
        user=None if known is None else known.user,
        state=State.DROPPED if known is None or is_late else State.DONE,
        done_at=delivery.received_at,
    )


async def _is_paid(connection: AsyncConnection, till_user: str) -> bool:
    """Whether a subscription goes on, as far as the till was heard of any."""
    newest: dict[str, tuple[float, object]] = {}
    for told in await deliveries.last_order(connection, Kind.SUBSCRIPTION, till_user):
        order = _order(told)
        if order is not None and order[1] > newest.get(order[0], (-1.0, ""))[0]:
            newest[order[0]] = order[1], told.facts.get("type")
    return not newest or any(told != "SubscriptionTerminated" for _, told in newest.values())


async def _is_late(connection: AsyncConnection, delivery: Delivery) -> bool:
    """Whether something later has been told already: order is not promised (Evotor FACTS 4.6)."""
    mine = _order(delivery)
    if mine is None or delivery.till_user is None:
        return False
    earlier = await deliveries.last_order(connection, delivery.kind, delivery.till_user)
    for other in earlier:
        theirs = _order(other)
        if theirs is not None and theirs[0] == mine[0] and theirs[1] > mine[1]:
            return True
    return False


def _order(delivery: Delivery) -> tuple[str, float] | None:
    """Of what the order counts, and the place in it: a subscription's number, an installation's time."""
    facts = delivery.facts
    if delivery.kind is Kind.SUBSCRIPTION:
        number = facts.get("number")
        return (str(facts.get("subscription")), float(number)) if isinstance(number, int | float) else None
    time = facts.get("time")
    return ("installation", float(time)) if isinstance(time, int | float) else None


__all__ = ["Replayed", "obey", "replay"]
