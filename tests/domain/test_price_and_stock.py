"""What a product costs and how much of it there is, in VK's terms."""

from decimal import Decimal

import pytest

from evosync.domain.ids import ProductId
from evosync.domain.kinds import risky_kind
from evosync.domain.marker import PREFIX, marker
from evosync.domain.policy import Policy, StockMode
from evosync.domain.price import shown_price, shown_stock, sold_by_gram
from tests.domain.model import OTHER, product

COUNTED = Policy(stock_mode=StockMode.TILL)


@pytest.mark.parametrize(
    "unit", ["г", "гр", "Г", "гр.", " ГР ", "грамм", "граммы", "Граммов", "г\N{NO-BREAK SPACE}", "\tгр. ", ". г .", "g"]
)
def test_a_price_by_the_gram_is_shown_for_the_amount_of_the_setting(unit: str) -> None:
    assert sold_by_gram(unit)
    assert shown_price(product(kopecks=1_55, unit=unit), Policy()) == (15_50, 10)
    assert shown_price(product(kopecks=1_55, unit=unit), Policy(weight_grams=100)) == (155_00, 100)


@pytest.mark.parametrize("unit", ["", ".", "шт", "кг", "л", "упак", "град", "100 г", "100г", "г/кв.м", "мг"])
def test_other_units_keep_their_price(unit: str) -> None:
    assert shown_price(product(kopecks=1_55, unit=unit), Policy()) == (1_55, 0)


@pytest.mark.parametrize("kopecks", [None, 0, -5])
def test_there_is_no_price_to_show_for_a_missing_or_zero_one(kopecks: int | None) -> None:
    assert shown_price(product(kopecks=kopecks), Policy())[0] is None


@pytest.mark.parametrize(
    ("quantity", "stock"),
    [("3.9", 3), ("0.9", 0), ("-2", 0), ("-0.5", 0), ("0", 0), (None, 1000), ("1000000", 1000), ("999999.5", 999_999)],
)
def test_the_tills_quantity_counts_in_whole_units(quantity: str | None, stock: int) -> None:
    counted = product(quantity=None if quantity is None else Decimal(quantity))
    assert shown_stock([counted], COUNTED) == stock
    assert shown_stock([counted], Policy()) == 1000


def test_quantities_are_summed_over_the_stores_that_sell_it() -> None:
    here, there = product(quantity=Decimal("2.5")), product(quantity=Decimal("3.5"), store=OTHER)
    assert shown_stock([here, there], COUNTED) == 5
    assert shown_stock([here, product(quantity=Decimal(3), sellable=False)], COUNTED) == 2
    assert shown_stock([here, product(quantity=None)], COUNTED) == 1000
    assert shown_stock([here, product(quantity=Decimal(-2))], COUNTED) == 2


def test_of_goods_by_the_gram_as_many_portions_are_there_as_the_grams_make() -> None:
    assert shown_stock([product(quantity=Decimal(47), unit="г")], COUNTED) == 4


def test_what_is_not_sellable_has_no_stock() -> None:
    assert shown_stock([product(sellable=False)], Policy()) == 0


@pytest.mark.parametrize(
    ("kind", "risk"),
    [
        ("ALCOHOL_MARKED", "alcohol"),
        ("ALCOHOL_NOT_MARKED", "alcohol"),
        ("BEER_MARKED_KEG", "beer"),
        ("TOBACCO_PRODUCTS_MARKED", "tobacco"),
        ("MEDICINE_MARKED", "medicine"),
        ("LOTTERY_TICKET", "lottery"),
        ("NOT_ALCOHOL_BEER_MARKED", None),
        ("MEDICAL_DEVICES_MARKED", None),
        ("NORMAL", None),
        ("SOMETHING_NEW", None),
    ],
)
def test_goods_that_a_marketplace_may_refuse_are_known_by_their_type(kind: str, risk: str | None) -> None:
    assert risky_kind(kind) == risk


def test_a_marker_is_short_and_the_same_for_ever() -> None:
    assert marker(ProductId("p1")) == marker(ProductId("p1")) != marker(ProductId("P1"))
    assert marker(ProductId("p" * 500)).startswith(PREFIX)
    assert len(marker(ProductId("p" * 500))) == 20
