"""Refusals of the room."""

from certdesk.foundation.common.errors import CertdeskError, Kind, NotFound, WrongState


class NoIssuer(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such issuer.", next_step="Look for it in the list of issuers.")


class BuiltInStays(WrongState):
    def __init__(self) -> None:
        super().__init__(
            "The built-in CA is part of this installation; it is neither changed, removed nor tested here.",
            next_step="Take it out of the order of the products that it shall not serve;"
            " to see it work, buy a certificate.",
        )


class StillUsed(WrongState):
    """Products have it in their order, orders there are open, or certificates of it are in force."""


class NotSetUp(CertdeskError):
    """An issuer that the catalogue names, and nobody has configured."""

    kind = Kind.UNAVAILABLE

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"The issuer {slug} of this product is not set up.", next_step="Ask the operator to configure it."
        )
