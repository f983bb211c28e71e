import pytest

from evosync.domain.connection import Token, VkConnection
from evosync.domain.errors import Rejected
from evosync.domain.ids import CommunityId
from evosync.sandbox.state import Sandbox
from evosync.vk.connect import Checked, Step, categories, check_connection, communities
from tests.vk.conftest import COMMUNITY, SECRET, OpenSides


async def check(open_sides: OpenSides, secret: str = SECRET, community: CommunityId = COMMUNITY) -> dict[Step, Checked]:
    async with open_sides() as sides:
        return {each.step: each for each in await check_connection(sides, Token(secret, "fp"), community)}


def codes(found: dict[Step, Checked]) -> dict[Step, str]:
    return {step: each.code for step, each in found.items() if not each.ok}


async def test_a_good_connection_passes_all_steps_in_one_request_and_changes_nothing(
    open_sides: OpenSides, sandbox: Sandbox
) -> None:
    sandbox.add_item(COMMUNITY, "Чай зелёный", 100)
    found = await check(open_sides)
    assert list(found) == list(Step)
    assert codes(found) == {}
    assert found[Step.TOKEN].values["name"] == "Анна Лавкина"
    assert found[Step.COMMUNITY].values == {"name": "Чайная", "currency": "₽"}
    assert found[Step.CATALOG].values == {"items": "1", "albums": "0"}
    assert sandbox.ledger.requests() == 1
    assert not sandbox.communities[COMMUNITY].writes


async def test_a_dead_token_fails_every_step_with_vks_code(open_sides: OpenSides) -> None:
    found = await check(open_sides, "another")
    assert set(codes(found).values()) == {"VK 5"}
    assert isinstance(found[Step.TOKEN].error, Rejected)


async def test_scopes_that_were_not_granted_are_named(open_sides: OpenSides, sandbox: Sandbox) -> None:
    sandbox.add_person("narrow", scopes=("photos",), person_id=100_001)
    found = await check(open_sides, "narrow")
    assert not found[Step.RIGHTS].ok
    assert found[Step.RIGHTS].values["missing"] == "market,groups"


async def test_a_key_of_a_community_is_no_person(open_sides: OpenSides, sandbox: Sandbox) -> None:
    sandbox.add_person("of a community", kind="community")
    found = await check(open_sides, "of a community")
    assert found[Step.TOKEN].code == "no_user"
    assert found[Step.RIGHTS].code == "VK 27"


@pytest.mark.parametrize(
    ("attribute", "value", "code"),
    [
        ("deactivated", "banned", "deactivated"),
        ("levels", {100_001: 1}, "no_rights"),
        ("market_enabled", False, "shop_off"),
        ("currency", 933, "currency"),
    ],
)
async def test_what_is_in_the_way_in_the_community_is_named(
    open_sides: OpenSides, sandbox: Sandbox, attribute: str, value: object, code: str
) -> None:
    setattr(sandbox.communities[COMMUNITY], attribute, value)
    assert (await check(open_sides))[Step.COMMUNITY].code == code


async def test_a_community_that_is_not_there_is_said_so(open_sides: OpenSides) -> None:
    assert not (await check(open_sides, community=CommunityId(4711)))[Step.COMMUNITY].ok


async def test_the_leaves_of_the_categories_are_listed(open_sides: OpenSides, connection: VkConnection) -> None:
    async with open_sides() as sides:
        found = await categories(sides, connection.token, COMMUNITY)
    assert 40932 in {each.id for each in found}
    assert all(len(each.path) > 1 for each in found)


async def test_the_communities_that_the_person_may_edit_are_offered(
    open_sides: OpenSides, connection: VkConnection, sandbox: Sandbox
) -> None:
    sandbox.add_community(66, "Без магазина", SECRET, market_enabled=False)
    sandbox.add_community(77, "Только модератор", SECRET, level=1)
    async with open_sides() as sides:
        found = await communities(sides, connection.token)
    assert {each.id: each.trouble for each in found} == {55: None, 66: "shop_off"}
