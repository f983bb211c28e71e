"""The commands as a person uses them, against the sandbox."""

import json

import pytest
from arq.connections import ArqRedis

from tests.cli.person import Person
from tests.journeys.process import command
from tests.journeys.workers import until
from tests.sync.world import Owner, World

ANNA, STRANGER = "owner1@example.org", "anna@example.org"
CREATE = ("user", "create", STRANGER, "--role", "user", "--password-stdin")


async def test_an_account_is_made_once(person: Person) -> None:
    assert (await person.types(*CREATE, stdin="a long password\n")).code == 0
    upper = ("user", "create", STRANGER.upper(), "--role", "admin", "--password-stdin")
    again = await person.types(*upper, stdin="another one")
    assert (again.code, again.out) == (2, "")
    assert "has an account already" in again.err


@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        (("user", "create", "anna", "--role", "user", "--password-stdin"), "a long password", "no email address"),
        (CREATE, "short", "too short"),
        (CREATE, "", "too short"),
        (("user", "create", STRANGER, "--role", "king"), "a long password", "invalid choice"),
        (("connect", STRANGER, "evotor"), "a-token", "no account has the email"),
        (("choose", STRANGER, "--on"), "", "no account has the email"),
        (("sync", STRANGER), "", "no account has the email"),
        (("choose", STRANGER), "", "required"),
        (("bake",), "", "invalid choice"),
        ((), "", "required"),
    ],
)
async def test_a_mistake_is_told_in_one_sentence_and_ends_with_2(
    person: Person, words: tuple[str, ...], stdin: str, says: str
) -> None:
    said = await person.types(*words, stdin=stdin)
    assert said.code == 2
    assert says in said.err
    assert said.out == ""


async def test_from_a_fresh_account_to_a_mirrored_shop(person: Person, newcomer: Owner) -> None:
    group = str(newcomer.community.id)
    address = f"https://oauth.vk.com/blank.html#access_token={newcomer.vk_token}&expires_in=0&user_id=1\n"
    for words, stdin in (
        (("connect", ANNA, "evotor"), newcomer.cloud_token),
        (("connect", ANNA, "vk", "--group-id", f"https://vk.com/club{group}"), address),
        (("choose", ANNA, "--on"), ""),
        (("sync", ANNA), ""),
    ):
        said = await person.types(*words, stdin=stdin)
        assert said.code == 0, said.all
    newcomer.assert_mirrored()


async def test_a_token_is_tested_before_it_is_stored(person: Person, newcomer: Owner, world: World) -> None:
    ours, theirs = str(newcomer.community.id), "888"
    world.sandbox.add_person("vk1.a.token-of-somebody-else", person_id=31, name=("Борис", "Чужой"))
    world.sandbox.add_community(int(theirs), "Чужая лавка", "vk1.a.token-of-somebody-else")
    cloud, vk = newcomer.cloud_token, newcomer.vk_token
    for words, stdin, says in (
        (("evotor",), "no-such-token", "Evotor does not take the token"),
        (("evotor",), "", "no token was given"),
        (("evotor", "--group-id", "5"), cloud, "for vk alone"),
        (("vk",), vk, "name the community"),
        (("vk", "--group-id", "the bakery"), vk, "is no community"),
        (("vk", "--group-id", ours), "vk1.a.no-such-token", "NO"),
        (("vk", "--group-id", theirs), vk, "NO"),
    ):
        said = await person.types("connect", ANNA, *words, stdin=stdin)
        assert said.code == 2, words
        assert says in said.all, (words, said.all)
    said = await person.types("sync", ANNA)
    assert (said.code, "no till is connected" in said.err) == (2, True)
    assert newcomer.writes() == 0


async def test_a_till_and_a_community_belong_to_one_owner(person: Person, anna: Owner, world: World) -> None:
    await world.owner(evotor=False, vk=False, started=False)
    for words, stdin in (
        (("evotor",), anna.cloud_token),
        (("vk", "--group-id", str(anna.community.id)), anna.vk_token),
    ):
        said = await person.types("connect", "owner2@example.org", *words, stdin=stdin)
        assert (said.code, "belongs to another owner" in said.err) == (2, True)


async def test_a_dry_run_says_what_would_be_done_and_writes_nothing(person: Person, anna: Owner, world: World) -> None:
    said = await person.types("sync", ANNA, "--dry-run")
    assert said.code == 0
    assert "create 3" in said.out
    assert "Булка номер 0001  51.00" in said.out
    assert anna.writes() == 0
    assert world.sandbox.upload_server.received == 0
    assert (await anna.mirror()).started_at is None


async def test_sync_mirrors_and_prints_one_json_object(person: Person, anna: Owner) -> None:
    said = await person.types("sync", ANNA, "--json")
    figures = json.loads(said.out)
    assert said.out.count("\n") == 1
    assert (said.code, figures["outcome"], figures["created"]) == (0, "ok", 3)
    anna.assert_mirrored()
    bun = next(iter(anna.store.products.values()))
    anna.change(bun, price=None)
    again = await person.types("sync", ANNA)
    assert again.code == 0, "what is skipped for a reason is no failure"
    assert "unchanged                   2" in again.out


async def test_refused_writes_and_a_broken_connection_end_with_1_and_a_mistake_with_2(
    person: Person, anna: Owner, world: World
) -> None:
    world.sandbox.fault("error", "market.add", code=100, message="category_id is wrong", times=None)
    refused = await person.types("sync", ANNA, "--json")
    assert (refused.code, json.loads(refused.out)["failed"]) == (1, 3)
    world.sandbox.faults.clear()
    world.sandbox.revoke(anna.vk_token)
    broken = await person.types("sync", ANNA)
    assert broken.code == 1
    assert "connect VK again" in broken.out
    told = await person.types("sync", ANNA)
    assert (told.code, "connect VK again" in told.err) == (2, True)


async def test_stores_and_groups_are_switched_by_name(person: Person, anna: Owner) -> None:
    group = next(iter(anna.store.groups))
    off = await person.types("choose", ANNA, "--off", "--store", anna.store.id, "--group", group)
    assert off.code == 0
    figures = json.loads((await person.types("sync", ANNA, "--json")).out)
    assert figures["created"] + figures["reasons"]["off_group"] == 3
    unknown = await person.types("choose", ANNA, "--on", "--store", "no-such-store")
    assert unknown.code == 2
    assert anna.store.id in unknown.err
    assert (await person.types("choose", ANNA, "--on", "--group", group)).code == 2


async def test_a_store_of_which_nothing_is_on_comes_with_its_groups(person: Person, world: World) -> None:
    boris = await world.owner(3, chosen=False, started=False)
    on = await person.types("choose", ANNA, "--on", "--store", boris.store.id)
    assert (on.code, on.out) == (0, "Switched the store on.\n")
    assert json.loads((await person.types("sync", ANNA, "--json")).out)["created"] == 3


async def test_a_store_that_is_switched_on_again_leaves_its_groups_as_they_are_and_names_those_that_are_off(
    person: Person, anna: Owner
) -> None:
    first, *others = anna.store.groups
    store = ("--store", anna.store.id)
    for words in (("--off", *store, "--group", first), ("--off", *store)):
        assert (await person.types("choose", ANNA, *words)).code == 0
    again = await person.types("choose", ANNA, "--on", *store)
    assert "These of its groups are off" in again.out
    assert first in again.out
    assert not any(other in again.out for other in others)
    assert (await person.types("choose", ANNA, "--off")).code == 0
    none = await person.types("choose", ANNA, "--on", *store)
    assert "All its groups are off, so nothing is shown" in none.out
    assert (await person.types("choose", ANNA, "--off", *store)).out == "Switched the store off.\n"
    group = await person.types("choose", ANNA, "--on", *store, "--group", first)
    assert "Its store is off" in group.out


async def test_with_the_till_alone_sync_reads_it_says_so_and_is_content(person: Person, world: World) -> None:
    olga = await world.owner(3, vk=False, chosen=False, started=False)
    said = await person.types("sync", ANNA, "--json")
    assert (said.code, json.loads(said.out)["products"]) == (0, 3)
    assert f"VK is not connected, so only the till was read: evosync connect {ANNA} vk" in said.err
    assert (await olga.mirror()).started_at is None, "nobody has seen yet what would be written"


async def test_of_one_cause_a_person_is_told_once_and_what_to_do(person: Person, newcomer: Owner) -> None:
    group = str(newcomer.community.id)
    for number, token, cause in (
        ("123456", newcomer.vk_token, "VK knows no such community: take the number"),
        (group, "vk1.a.no-such-token", "connect VK again"),
    ):
        said = await person.types("connect", ANNA, "vk", "--group-id", number, stdin=token)
        assert (said.code, said.out.count("NO "), said.out.count(cause)) == (2, 1, 1), said.all


async def test_a_changed_secret_key_is_named_with_what_mends_it(person: Person, anna: Owner) -> None:
    changed = {"SECRET_KEY": "another key for the tests, which is long enough for it"}
    said = await person.types("sync", ANNA, **changed)
    assert (said.code, said.out) == (2, "")
    assert "SECRET_KEY_PREVIOUS" in said.err
    assert "connect again" in said.err


async def test_what_the_owner_mended_in_vk_is_found_by_the_next_run(person: Person, anna: Owner, world: World) -> None:
    anna.community.currency = 398
    assert (await person.types("sync", ANNA)).code == 1
    assert await anna.vk_health() == ("broken", "currency")
    anna.community.currency = 643
    assert (await person.types("sync", ANNA)).code == 0
    anna.assert_mirrored()


async def test_a_run_that_waits_for_another_and_is_told_to_stop_blames_nobody(
    person: Person, anna: Owner, redis: ArqRedis
) -> None:
    await redis.set(f"lease:{anna.user}", "another run's")
    async with command(person.folder / "sync", person.environ, "sync", ANNA) as process:

        async def waits() -> bool:
            return "waiting for it to end" in process.said

        await until(waits)
        process.ask_to_stop()
        assert await process.ended() == 2
        assert "stopped before the run began: another run of this account is going on" in process.said


async def test_a_run_that_waited_for_another_does_not_begin_on_a_mirror_that_was_paused_meanwhile(
    person: Person, anna: Owner, redis: ArqRedis
) -> None:
    await redis.set(f"lease:{anna.user}", "another run's")
    async with command(person.folder / "sync", person.environ, "sync", ANNA) as process:

        async def waits() -> bool:
            return "waiting for it to end" in process.said

        await until(waits)
        await anna.pause()
        await redis.delete(f"lease:{anna.user}")
        assert await process.ended() == 2
        assert "its mirror paused" in process.said
    assert anna.writes() == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"REDIS_URL": "redis://127.0.0.1:9/0"}, "REDIS_URL"),
        ({"DATABASE_URL": "mysql+pymysql://nobody@127.0.0.1:9/none"}, "DATABASE_URL"),
        ({"DATABASE_URL": "sqlite+aiosqlite:////nowhere/at/all.db"}, "DATABASE_URL"),
        ({"VK_BATCH_LIMIT": "many", "VK_STOCK_AMOUNT": "-1"}, "VK_STOCK_AMOUNT"),
    ],
)
async def test_settings_that_do_not_work_are_named(
    person: Person, anna: Owner, settings: dict[str, str], says: str
) -> None:
    said = await person.types("sync", ANNA, **settings)
    assert said.code == 2
    assert says in said.err


@pytest.mark.parametrize("words", [("--help",), ("sync", "--help"), ("connect", "--help"), ("--version",)])
async def test_help_is_there(person: Person, words: tuple[str, ...]) -> None:
    said = await person.types(*words)
    assert (said.code, said.err) == (0, "")
    assert "evosync" in said.out
