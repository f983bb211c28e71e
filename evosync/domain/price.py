"""Money and stock: from what the till says to what VK shall show."""

from collections.abc import Iterable
from decimal import ROUND_FLOOR, Decimal

from evosync.domain.catalog import Product
from evosync.domain.policy import Policy, StockMode

GRAM_UNITS = frozenset(
    {"г", "гр", "грам", "грамм", "грамма", "граммы", "граммов", "граммах", "g", "gr", "gram", "grams", "gramm"}
)
UNTRACKED = Decimal(1_000_000)
"""The till's way to say that stock is not counted (Evotor FACTS 1.6)."""

MAX_STOCK = 999_999
MAX_KOPECKS = 99_999_999_999_900


def sold_by_gram(unit: str) -> bool:
    """Whether the till's price is for one gram; its units are free text.

    Spaces of any kind and dots around it, and cases, do not count. A unit with a number, like «100 г», is no gram
    but a portion: the price is for the whole of it, and is shown as it is, like that of a kilogram.
    """
    return " ".join(unit.replace(".", " ").split()).casefold() in GRAM_UNITS


def shown_price(product: Product, policy: Policy) -> tuple[int | None, int]:
    """Kopecks to show, and for how many grams (0: for a piece). None: there is no price to show."""
    grams = policy.weight_grams if sold_by_gram(product.unit) else 0
    if product.kopecks is None or product.kopecks <= 0:
        return None, grams
    kopecks = product.kopecks * max(grams, 1)
    return (kopecks if kopecks <= MAX_KOPECKS else None), grams


def shown_stock(variants: Iterable[Product], policy: Policy) -> int:
    """Stock of one product over the stores that sell it.

    Whole units down; a store below zero counts as empty; if any store does not count it, the constant.
    For goods sold by the gram a unit is the amount that the price is for.
    """
    sellable = [variant for variant in variants if variant.sellable]
    if not sellable:
        return 0
    if policy.stock_mode is StockMode.CONSTANT:
        return policy.stock_constant
    total = 0
    for variant in sellable:
        if variant.quantity is None or variant.quantity >= UNTRACKED:
            return policy.stock_constant
        grams = policy.weight_grams if sold_by_gram(variant.unit) else 1
        units = (variant.quantity / grams).to_integral_value(rounding=ROUND_FLOOR)
        total += max(int(units), 0)
    return min(total, MAX_STOCK)
