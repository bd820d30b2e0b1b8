"""What the operator orders to try an issuer out: a DV certificate of that issuer, at no price here.

It is a line of the catalogue, so that its order goes through the one pipeline like any other; it is on no
list of what is for sale, and is never replaced by itself. Its brand is the issuer's slug behind a sign that
no brand of a file has. Pure.
"""

SIGN = "@"
TITLE = "Test order"


def brand_of(slug: str) -> str:
    """The brand under which a test order at an issuer stands."""
    return f"{SIGN}{slug}"


def is_rehearsal(brand: str) -> bool:
    return brand.startswith(SIGN)


def slug_of(brand: str) -> str:
    """The issuer of such a brand."""
    return brand.removeprefix(SIGN)
