"""A small part of VK's tree of goods, with new five-digit ids and two old ones that are still accepted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Category:
    """A node of the tree; ``parent`` is None at the top."""

    id: int
    name: str
    parent: int | None = None


TREE: tuple[Category, ...] = (
    Category(40_000, "Продукты питания"),
    Category(40_064, "Готовая еда", 40_000),
    Category(40_932, "Другие продукты", 40_000),
    Category(40_101, "Хлеб и выпечка", 40_000),
    Category(40_102, "Напитки", 40_000),
    Category(50_000, "Дом и быт"),
    Category(50_062, "Посуда", 50_000),
    Category(50_101, "Товары для кухни", 50_000),
    Category(60_000, "Транспорт"),
    Category(60_011, "Запчасти", 60_000),
    Category(70_000, "Детские товары"),
    Category(70_020, "Игрушки", 70_000),
)
OLD: tuple[Category, ...] = (Category(1, "Женская одежда"), Category(305, "Продукты"))
BY_ID: Mapping[int, Category] = {category.id: category for category in (*TREE, *OLD)}


def described(category: Category) -> dict[str, object]:
    """The category inside an item, with its chain of parents."""
    seen: dict[str, object] = {
        "inner_type": "market_market_category_nested",
        "id": category.id,
        "name": category.name,
        "is_v2": category in TREE,
    }
    if category.parent is not None:
        seen["parent"] = described(BY_ID[category.parent])
    return seen


def tree() -> Iterator[dict[str, object]]:
    """The new tree as ``market.getCategories`` returns it."""
    for top in TREE:
        if top.parent is None:
            leaves = [{"id": leaf.id, "name": leaf.name} for leaf in TREE if leaf.parent == top.id]
            yield {"id": top.id, "name": top.name, "children": leaves}
