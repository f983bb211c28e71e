"""Ready-made shops: one for the demo, many for benchmarks."""

from collections.abc import Mapping
from dataclasses import dataclass

from evosync.sandbox import goods
from evosync.sandbox.pictures import draw
from evosync.sandbox.state import Sandbox

PEACH, BERRY, MINT = (
    ((250, 231, 214), (224, 138, 85), (178, 94, 49)),
    ((246, 222, 230), (193, 70, 110), (140, 40, 78)),
    ((218, 240, 230), (70, 160, 125), (40, 110, 84)),
)
DEMO_STORE = "20240115-7A3C-40D1-80B2-5C0F1E2A9B31"
UNPAID_STORE = "20240320-1B4E-4077-8021-9D3E5F6A7C80"


@dataclass(frozen=True, slots=True)
class Demo:
    """What a client needs to connect to a seeded shop, and where to look at it."""

    evotor_token: str
    vk_token: str
    account_id: str
    group_id: int
    store_id: str

    @property
    def shop_path(self) -> str:
        """The VK shop in a browser."""
        return f"/shop/{self.group_id}"

    @property
    def till_path(self) -> str:
        """The till in a browser."""
        return f"/till/{self.account_id}"

    def described(self, url: str) -> dict[str, object]:
        """All of it for another process."""
        return {
            "evotor_token": self.evotor_token,
            "vk_token": self.vk_token,
            "account_id": self.account_id,
            "group_id": self.group_id,
            "store_id": self.store_id,
            "shop_url": f"{url}{self.shop_path}",
            "till_url": f"{url}{self.till_path}",
        }


def seed_demo(sandbox: Sandbox, catalog: Mapping[str, object] | None = None, first: int | None = None) -> Demo:
    """A bakery with two stores, the second unpaid, and a VK shop that holds a few things already.

    With a ``catalog`` the first store sells that instead.
    """
    demo = Demo("demo-cloud-token", "demo-vk-token", "01-000000000000042", 200_042, DEMO_STORE)
    account = sandbox.add_till(
        demo.evotor_token,
        demo.account_id,
        [
            {"id": DEMO_STORE, "name": "Пекарня на Речной", "address": "Россия, г. Тверь, ул. Речная, 7"},
            {"id": UNPAID_STORE, "name": "Ларёк на вокзале"},
        ],
    )
    sandbox.load_catalog(account, DEMO_STORE, catalog if catalog is not None else goods.catalog(), first)
    kiosk = account.stores[UNPAID_STORE]
    snacks = kiosk.add_group("В дорогу")
    kiosk.add_product("Сэндвич с курицей", 210, parent_id=snacks.id, quantity=8)
    kiosk.unpaid = True
    sandbox.add_person(demo.vk_token, person_id=100_042, name=("Марина", "Пекарева"))
    sandbox.add_community(demo.group_id, "Пекарня на Речной", demo.vk_token)
    _own_items(sandbox, demo.group_id)
    return demo


def _own_items(sandbox: Sandbox, group_id: int) -> None:
    """What the owner has put into VK by hand: one album, three items of her own, one that the till sells too."""
    album = sandbox.add_album(group_id, "Торты на заказ")
    for name, kopecks, colours in (
        ("Торт «Медовик» на заказ", 230_000, PEACH),
        ("Торт с ягодами на заказ", 285_000, BERRY),
        ("Мастер-класс по хлебу", 350_000, MINT),
    ):
        text = "Делаем за два дня, напишите нам в сообщения сообщества."
        sandbox.add_item(group_id, name, kopecks, description=text, album_ids=[album.id], picture=draw(colours))
    text = "Наш фирменный хлеб: восемнадцать часов на закваске, мука местной мельницы."
    sandbox.add_item(group_id, "Хлеб ржаной на закваске", 12_500, description=text, picture=draw(PEACH))


def seed_owner(sandbox: Sandbox, number: int, catalog: Mapping[str, object], first: int | None = None) -> Demo:
    """One of many owners, each with one store that sells the same goods under ids of its own, and an empty VK shop."""
    demo = Demo(
        f"cloud-token-{number}",
        f"vk-token-{number}",
        f"01-{number:015d}",
        300_000 + number,
        f"20250101-0000-4000-8000-{number:012d}",
    )
    account = sandbox.add_till(demo.evotor_token, demo.account_id, [{"id": demo.store_id, "name": f"Магазин {number}"}])
    sandbox.load_catalog(account, demo.store_id, catalog, first, id_suffix=f"-{number}")
    sandbox.add_person(demo.vk_token, person_id=500_000 + number, name=("Владелец", str(number)))
    sandbox.add_community(demo.group_id, f"Магазин {number}", demo.vk_token)
    return demo


def plain_catalog(products: int) -> dict[str, object]:
    """A made-up catalog of any length, a hundred products a group, for owners in a benchmark."""
    groups = [{"id": f"g{index}", "name": f"Отдел {index + 1}"} for index in range(-(-products // 100))]
    rows = [
        {
            "id": f"p{index}",
            "parent_id": f"g{index // 100}",
            "name": f"Товар номер {index + 1}",
            "price": f"{50 + index % 950}.{index % 100:02d}",
            "quantity": index % 40,
            "description": f"Обычный товар с полки, артикул {index + 1}.",
        }
        for index in range(products)
    ]
    return {"groups": groups, "products": rows}
