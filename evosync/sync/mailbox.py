"""What waits to be done for one user: at most one message, into which later ones merge."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from evosync.domain.ids import ProductId, StoreId
from evosync.domain.mirror import Reason, Scope

ROUTINE = Reason.ROUTINE
"""The reason of a run that nobody asked for: its time has come."""

HINT = "hint:"
"""Begins the reason of a hint; what follows is the store that it is about."""

_TAB = "\t"
"""Stands between the store of a hint and the one product that it names; no id holds one."""


@dataclass(frozen=True, slots=True)
class Message:
    """Mirror this user. `stores` narrow a reading down; empty means all.

    A message is itself only a hint: what is wanted stands in the database. `origin` is the id of the request that asked
    last, for the log.
    """

    scope: Scope
    reasons: frozenset[str] = frozenset()
    stores: frozenset[StoreId] = frozenset()
    origin: str = field(default="", compare=False)

    @classmethod
    def about(cls, scope: Scope, reasons: Iterable[str]) -> "Message":
        """The message for a wish as the database keeps it; stores are named by reasons that begin with `HINT`."""
        reasons = frozenset(reasons)
        hinted = frozenset(store for store, _ in _hints(reasons))
        everywhere = any(not reason.startswith(HINT) for reason in reasons)
        return cls(scope, reasons, frozenset() if everywhere else hinted)

    @property
    def whole_stores(self) -> frozenset[StoreId]:
        """Stores of which a hint asks for all that changed, not for single products."""
        named = {store for store, product in _hints(self.reasons) if product is not None}
        return self.stores - (named - {store for store, product in _hints(self.reasons) if product is None})

    @property
    def named(self) -> frozenset[tuple[StoreId, ProductId]]:
        """Products to be read by themselves: a sale need not count as a change (Evotor FACTS 1.2)."""
        return frozenset((store, product) for store, product in _hints(self.reasons) if product is not None)

    @property
    def hints(self) -> frozenset[str]:
        """Its reasons that are hints."""
        return frozenset(reason for reason in self.reasons if reason.startswith(HINT))

    @property
    def routine(self) -> bool:
        """Nobody asked: a run that is under way already will do."""
        return self.reasons <= {ROUTINE}

    def merge(self, other: "Message") -> "Message":
        """One message that covers both: the wider scope, all reasons, all stores that either names."""
        scope = self.scope.with_(other.scope)
        return Message(
            scope=scope,
            reasons=self.reasons | other.reasons,
            stores=self.stores | other.stores if self.stores and other.stores else frozenset(),
            origin=other.origin or self.origin,
        )


def product_reason(store: StoreId, product: ProductId) -> str:
    """The reason of a hint that is about one product."""
    return f"{HINT}{store}{_TAB}{product}"


def _hints(reasons: Iterable[str]) -> Iterator[tuple[StoreId, ProductId | None]]:
    for reason in reasons:
        if reason.startswith(HINT):
            store, _, product = reason.removeprefix(HINT).partition(_TAB)
            yield StoreId(store), ProductId(product) if product else None


def _holds_hint(message: Message) -> bool:
    """A wish for all that changed, which so many hints became that they name nothing any more, is none."""
    return message.scope is Scope.HINT or bool(message.hints and message.hints != message.reasons)


class Mailbox:
    """Holds at most one message, for one reader. Putting and taking never wait."""

    def __init__(self) -> None:
        self._message: Message | None = None
        self.hint_waiting = asyncio.Event()
        """Set while a hint waits, be it beside something wider: a run under way may take it and do it in between."""

    def __bool__(self) -> bool:
        return self._message is not None

    def put(self, message: Message) -> None:
        self._hold(message if self._message is None else self._message.merge(message))

    def peek(self) -> Message | None:
        return self._message

    def take(self) -> Message | None:
        taken = self._message
        self._hold(None)
        return taken

    def take_hint(self) -> Message | None:
        """The hint that waits; what is wider stays for a run of its own."""
        message = self._message
        if message is None or not self.hint_waiting.is_set():
            return None
        if message.scope is Scope.HINT:
            return self.take()
        hints = message.hints
        self._hold(replace(message, reasons=message.reasons - hints))
        return replace(Message.about(Scope.HINT, hints), origin=message.origin)

    def _hold(self, message: Message | None) -> None:
        self._message = message
        if message is not None and _holds_hint(message):
            self.hint_waiting.set()
        else:
            self.hint_waiting.clear()
