from datetime import UTC, datetime

import pytest

from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import Reason, RunRecord, Scope
from evosync.sync.mailbox import HINT
from evosync.web.receipts import reason_text
from evosync.words.language import Language, load_catalogs

ENGLISH = load_catalogs()[Language.EN]


def run(*reasons: str) -> RunRecord:
    return RunRecord(RunId(1), UserId(1), reasons, Scope.FULL, datetime(2026, 5, 1, tzinfo=UTC))


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.ROUTINE])
def test_a_run_that_something_brought_about_is_never_said_to_be_on_schedule(reason: Reason) -> None:
    said = reason_text(run(Reason.ROUTINE, HINT + "store", reason), ENGLISH)
    assert said not in {"on schedule", "a product changed at the till"}


def test_what_a_till_told_is_said_before_the_schedule() -> None:
    assert reason_text(run(Reason.ROUTINE, HINT + "store"), ENGLISH) == "a product changed at the till"
    assert reason_text(run(Reason.ROUTINE), ENGLISH) == "on schedule"
