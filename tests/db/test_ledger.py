from evosync.db.engine import Database
from evosync.db.ledger import DbLedger
from evosync.domain.ids import UserId
from evosync.sync.ports import Due, Ledger


async def test_an_active_owner_has_a_mirror(ledger: DbLedger, olga: UserId) -> None:
    port: Ledger = ledger
    due: Due = ledger
    assert due is not None
    mirror = await port.mirror(olga)
    assert mirror is not None
    assert mirror.evotor is None
