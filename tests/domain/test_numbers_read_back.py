"""Whether a number that VK gives back other than it was sent is VK's form of ours, or somebody's change of it."""

from dataclasses import replace
from typing import Any, TypeVar

import pytest

from evosync.domain.action import EditItem, Why
from evosync.domain.catalog import Item
from evosync.domain.differences import doubted, is_first_doubt
from evosync.domain.links import ReadBack, Written
from tests.domain.model import ALL_ON, POLICY, Model, product, till

T = TypeVar("T", Item, EditItem, Written, ReadBack)


def having(thing: T, field: str, number: int | None) -> T:
    """The same thing but for this number."""
    changes: dict[str, Any] = {field: number}
    return replace(thing, **changes)


def sent(field: str, number: int, *, before: int, written: int | None, read: int | None) -> tuple[EditItem, Item]:
    """An edit of a number, `before` being what the plan read; and the item."""
    vk = Model()
    vk.run(till(product()), ALL_ON, POLICY)
    (link,) = vk.links.values()
    assert link.item is not None
    assert link.written is not None
    assert link.read_back is not None
    item = having(vk.item(link.item), field, before)
    link = replace(link, written=having(link.written, field, written), read_back=having(link.read_back, field, read))
    edit = EditItem(link.product, item.id, Why.CHANGED, hidden=False, source=b"s", link=link, before=item)
    return having(edit, field, number), item


@pytest.mark.parametrize("field", ["kopecks", "stock"])
@pytest.mark.parametrize(
    ("before", "written", "read", "seen", "doubts"),
    [
        (100, 100, 100, 111, False),
        (100, 100, 100, None, False),
        (100, 100, 100, 150, True),
        (100, 100, 100, 100, True),
        (100, None, None, 100, True),
        (150, 111, None, 150, False),
        (150, 111, None, 151, True),
        (100, 111, 150, 150, False),
        (150, 111, 111, 150, True),
    ],
    ids=[
        "read as sent",
        "not named",
        "another",
        "as before a new number",
        "as before a number that nobody knows of",
        "as before the same number",
        "another than before the same number",
        "as the same number was read",
        "set back by hand, and again",
    ],
)
def test_a_number_is_vks_form_of_ours_once_vk_gave_it_back_twice(
    field: str, before: int, written: int | None, read: int | None, seen: int | None, *, doubts: bool
) -> None:
    edit, item = sent(field, 111, before=before, written=written, read=read)
    assert doubted(edit, having(item, field, seen)) == ((field,) if doubts else ())


@pytest.mark.parametrize(("written", "read", "first"), [(100, 100, True), (111, 111, True), (111, None, False)])
def test_only_the_first_doubt_of_a_number_is_one(written: int, read: int | None, *, first: bool) -> None:
    edit, _ = sent("kopecks", 111, before=150, written=written, read=read)
    assert is_first_doubt(edit, "kopecks") is first
