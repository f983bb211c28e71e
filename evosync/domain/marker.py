"""The mark by which an item is found again when its link was lost: VK FACTS 8."""

from base64 import b32encode
from hashlib import blake2b

from evosync.domain.ids import ProductId

PREFIX = "evo-"


def marker(product: ProductId) -> str:
    """The `sku` of the product's item: 20 characters, the same for a product for ever."""
    code = blake2b(product.encode("utf-8", "surrogatepass"), digest_size=10).digest()
    return PREFIX + b32encode(code).decode("ascii").lower()
