import pytest

from evosync.domain.errors import (
    CloudError,
    Full,
    NotFound,
    Operators,
    Quota,
    Refused,
    Rejected,
    Side,
    Throttled,
    Unavailable,
    Unknown,
)
from evosync.vk.faults import KINDS, Fault, named_field, read_fault, to_error, without_secrets

# VK FACTS 4, every line of the table: codes, what a write becomes, what a read becomes
TABLE: list[tuple[tuple[int, ...], type[CloudError], type[CloudError]]] = [
    ((1, 10), Unknown, Unavailable),
    ((2, 101, 28, 38), Operators, Operators),
    ((3,), Operators, Operators),
    ((5,), Rejected, Rejected),
    ((6,), Throttled, Throttled),
    ((7, 15, 203, 205, 200), Rejected, Rejected),
    ((8,), Operators, Operators),
    ((9,), Quota, Quota),
    ((12,), Operators, Operators),
    ((13,), Unknown, Unavailable),
    ((14,), Quota, Quota),
    ((16, 42), Operators, Operators),
    ((25,), Rejected, Rejected),
    ((17, 24), Rejected, Rejected),
    ((18, 37, 3610), Rejected, Rejected),
    ((19,), Refused, Refused),
    ((43,), Unavailable, Unavailable),
    ((20, 21, 23), Operators, Operators),
    ((27,), Rejected, Rejected),
    ((29,), Quota, Quota),
    ((36,), Unknown, Unavailable),
    ((100,), Refused, Refused),
    ((3609,), Rejected, Rejected),
    ((1400,), NotFound, NotFound),
    ((1402, 1403), NotFound, NotFound),
    ((1404, 1518), Refused, Refused),
    ((1405, 1406, 1407), Full, Full),
    ((1408,), Refused, Refused),
    ((1412, 1413, 1414, 1415, 1416, 1417, 1425, 1426), Refused, Refused),
    ((1421,), Refused, Refused),
    ((1429,), Refused, Refused),
    ((1433, 1434, 1435), Refused, Refused),
    ((1438, 1525, 1526), Rejected, Rejected),
    ((1446, 1457, 1458), Refused, Refused),
]
LINES = [(code, write, read) for codes, write, read in TABLE for code in codes]


@pytest.mark.parametrize(("code", "write", "read"), LINES)
def test_each_code_leads_to_the_action_of_the_table(code: int, write: type[CloudError], read: type[CloudError]) -> None:
    fault = Fault(code, "why")
    written = to_error(fault, method="market.edit", write=True)
    asked = to_error(fault, method="market.get", write=False)
    assert (type(written), type(asked)) == (write, read)
    assert (written.side, written.code, written.detail) == (Side.VK, f"VK {code}", "market.edit: why")


def test_the_table_is_whole() -> None:
    assert {code for code, _, _ in LINES} == set(KINDS)


def test_a_code_that_nobody_listed_refuses_a_write_and_lets_a_read_be_tried_later() -> None:
    fault = Fault(98765)
    assert isinstance(to_error(fault, method="market.add", write=True), Refused)
    assert isinstance(to_error(fault, method="market.get", write=False), Unavailable)


@pytest.mark.parametrize("code", [9, 14, 29])
def test_flood_captcha_and_quota_stop_the_method_that_met_them(code: int) -> None:
    stopped = to_error(Fault(code), method="market.add", write=True)
    assert isinstance(stopped, Quota)
    assert stopped.method == "market.add"


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        (Fault(100, "One of the parameters specified was missing or invalid: price not float"), "price"),
        (Fault(100, "One of the parameters specified was missing or invalid: name should be more than 4"), "name"),
        (
            Fault(100, "One of the parameters specified was missing or invalid: main_photo_id is undefined"),
            "main_photo_id",
        ),
        (Fault(100, "One of the parameters specified was missing or invalid: photo not found"), "photo"),
        (Fault(100, "One of the parameters specified was missing or invalid: weight is odd"), "weight"),
        (Fault(100, ""), ""),
        (Fault(1421, "Item name is too long"), "name"),
        (Fault(1408, "Item has bad links in description"), "description"),
        (Fault(1434, "crop"), "photo"),
        (Fault(19, "blocked"), ""),
    ],
)
def test_the_parameter_that_vk_names_is_found(fault: Fault, field: str) -> None:
    assert named_field(fault) == field


def test_nothing_of_what_was_sent_is_kept() -> None:
    token = "vk1.a.Zx-8_" + "q" * 60
    fault = read_fault(
        {
            "error_code": 5,
            "error_msg": f"invalid access_token {token}",
            "request_params": [{"key": "access_token", "value": token}],
        }
    )
    assert fault == Fault(5, "invalid access_token …")


def test_a_long_opaque_text_is_taken_for_a_secret() -> None:
    assert without_secrets("x " + "a1B2" * 20) == "x …"
