"""Shops that nobody would have thought of."""

import pytest

from evosync.domain.mirror import Scope
from tests.sync.world import World

ODD_NAMES = (
    "Круассан 🥐 с миндалём 👩‍🍳",
    "<b>Хлеб</b> & <script>alert(1)</script>",
    'Кекс "Столичный" \\ $5 \' OR 1=1 --',
    "Пряник\u202eобратный\u0000 с нулём",
    "  Булка   с   пробелами  ",
    "Эклер" + "!" * 90,
    "Ü" * 128,
    "𝕿𝖔𝖗𝖙 готический",
    "Хлеб\nв две строки",
    "Call API.market.delete({}); return 1;",
    "é́́́́ составные знаки",
    "مخبز الخبز الطازج",
)


async def test_odd_names_arrive_as_items_or_are_skipped_with_a_reason_and_the_next_run_is_quiet(world: World) -> None:
    owner = await world.owner(0)
    owner.stock(len(ODD_NAMES))
    for product, name in zip(list(owner.store.products.values()), ODD_NAMES, strict=True):
        owner.change(product, name=name, description=f"{name} " * 3)
    await owner.run(dry=True)
    await owner.choose(on=True)
    record = await owner.run()
    assert record.outcome == "ok"
    assert record.tally.created + record.tally.skipped == len(ODD_NAMES)
    assert record.tally.created >= len(ODD_NAMES) - 2
    assert owner.community.duplicates() == {}
    before = owner.writes()
    assert (await owner.run()).outcome == "ok"
    assert owner.writes() == before


@pytest.mark.parametrize("texts", ["raw", "mild", "entities"])
async def test_whatever_vk_makes_of_a_text_it_is_not_sent_again(world: World, texts: str) -> None:
    world.sandbox.vk.texts = texts  # type: ignore[assignment]  # one of the three
    owner = await world.owner(3)
    for product, name in zip(list(owner.store.products.values()), ODD_NAMES[1:4], strict=True):
        owner.change(product, name=name, description=f"Описание: {name}\n\nвторая  строка & ещё")
    await owner.run()
    before = owner.writes()
    for _ in range(2):
        await owner.run()
    assert owner.writes() == before


async def test_odd_rows_and_a_wrong_count_of_vk_do_no_harm(world: World) -> None:
    world.sandbox.vk.odd_rows = True
    world.sandbox.vk.count_drift = -3
    world.sandbox.vk.removed_by_id = "zero"
    owner = await world.owner(12)
    await owner.run()
    assert (await owner.run()).tally.unchanged == 12
    owner.assert_mirrored()


async def test_three_thousand_products_are_mirrored_once_and_then_left_alone(world: World) -> None:
    owner = await world.owner(0)
    for number in range(4):
        owner.store.add_group(f"Отдел {number}")
    owner.stock(3000)
    await owner.run(dry=True)
    await owner.choose(on=True)
    record = await owner.run()
    assert (record.outcome, record.tally.created) == ("ok", 3000)
    owner.assert_mirrored()
    before = owner.writes()
    record = await owner.run()
    assert (record.tally.unchanged, owner.writes()) == (3000, before)
    world.clock.forward(minutes=11)
    bun = list(owner.store.products.values())[-1]
    owner.change(bun, price=5)
    record = await owner.run(Scope.DELTA)
    assert (record.tally.updated, record.tally.vk_requests <= 3) == (1, True)
