from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evosync.security.seal import Sealed, Sealer, Unsealable

OLD, NEW = "an earlier key", "the current key"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_opens(secret: str) -> None:
    sealer = Sealer([NEW])
    assert sealer.open(sealer.seal(secret, about="vk 7"), about="vk 7") == secret


def test_the_box_tells_nothing_and_is_another_each_time() -> None:
    sealer = Sealer([NEW])
    first, second = sealer.seal("vk1.a.secret", about="vk 7"), sealer.seal("vk1.a.secret", about="vk 7")
    assert first.box != second.box
    assert b"secret" not in first.box
    assert "secret" not in repr(first)


def test_a_box_moved_to_another_place_does_not_open() -> None:
    sealer = Sealer([NEW])
    with pytest.raises(Unsealable):
        sealer.open(sealer.seal("secret", about="vk 7"), about="vk 8")


@pytest.mark.parametrize(
    "spoil", [lambda box: box[:-1], lambda box: box[:3], lambda _: b"", lambda box: b"x" + box[1:]]
)
def test_a_spoilt_box_does_not_open(spoil: Callable[[bytes], bytes]) -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal("secret", about="vk 7")
    with pytest.raises(Unsealable):
        sealer.open(Sealed(sealed.key_id, spoil(sealed.box)), about="vk 7")


def test_an_earlier_key_still_opens_and_the_current_one_seals() -> None:
    old, rotated = Sealer([OLD]), Sealer([NEW, OLD])
    assert rotated.open(old.seal("secret", about="vk 7"), about="vk 7") == "secret"
    fresh = rotated.seal("secret", about="vk 7")
    assert fresh.key_id == rotated.key_id == Sealer([NEW]).key_id
    with pytest.raises(Unsealable):
        old.open(fresh, about="vk 7")


def test_a_fingerprint_finds_a_token_before_and_after_a_rotation() -> None:
    old, rotated = Sealer([OLD]), Sealer([NEW, OLD])
    assert rotated.fingerprints("token") == (Sealer([NEW]).fingerprint("token"), old.fingerprint("token"))
    assert rotated.fingerprint("token") != rotated.fingerprint("other")
    assert len(rotated.fingerprint("token")) == 32


def test_a_sealer_needs_a_key() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Sealer([])
