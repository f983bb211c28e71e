"""Who is counted by the limits of trying."""

import pytest
from redis.asyncio import Redis

from evosync.accounts.throttle import REGISTER_ADDRESS, Throttle, TooFast, counted_as


@pytest.mark.parametrize(
    ("who", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("owner@example.org", "owner@example.org"),
        ("7", "7"),
    ],
)
def test_an_address_of_ipv6_counts_as_the_network_that_one_visitor_has(who: str, counted: str) -> None:
    assert counted_as(who) == counted


async def test_a_new_address_of_the_same_network_has_no_new_tries(redis: Redis) -> None:
    throttle = Throttle(redis)
    for number in range(REGISTER_ADDRESS.tries):
        await throttle.take(REGISTER_ADDRESS, f"2001:db8:1:2::{number:x}")
    with pytest.raises(TooFast):
        await throttle.take(REGISTER_ADDRESS, "2001:db8:1:2:ffff::1")
    await throttle.take(REGISTER_ADDRESS, "2001:db8:1:3::1")
