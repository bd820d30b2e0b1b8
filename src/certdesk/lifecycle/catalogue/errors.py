"""Refusals of the catalogue."""

from certdesk.foundation.common.errors import CertdeskError, Kind


class CatalogueRefused(CertdeskError):
    """The catalogue file cannot be used; the message names file, line and key."""

    kind = Kind.UNAVAILABLE


class NoSuchProduct(CertdeskError):
    """Nothing of that brand, type and domain type is in the catalogue."""

    kind = Kind.BAD_PARAMETER


class NotForSale(CertdeskError):
    """The product is listed, but it cannot be bought now (CAT-6)."""

    kind = Kind.BAD_PARAMETER


class NoPrice(CertdeskError):
    """The product has no price in the currency of the account."""

    kind = Kind.BAD_PARAMETER
