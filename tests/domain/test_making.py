from dataclasses import FrozenInstanceError, dataclass

import pytest

from evosync.domain.making import maker


@dataclass(frozen=True, slots=True)
class Thing:
    name: str
    size: int = 0


def test_what_is_made_is_the_frozen_value_itself() -> None:
    made = maker(Thing)("cup", 3)
    assert type(made) is Thing
    assert made == Thing("cup", 3)
    assert hash(made) == hash(Thing("cup", 3))
    with pytest.raises(FrozenInstanceError):
        made.size = 4  # type: ignore[misc] # that is the point


def test_a_value_that_lacks_a_field_is_not_made() -> None:
    with pytest.raises(TypeError):
        maker(Thing)("cup")
