"""Options of a CA that is asked by hand: nothing of it is reached over the network."""

from typing import ClassVar, Literal

from pydantic import Field

from certdesk.connectors.issuers.options import IssuerOptions


class ManualOptions(IssuerOptions):
    """What the officers have to know, and what this CA can do."""

    label: ClassVar[str] = "By hand"

    place: str = Field(
        "",
        max_length=300,
        title="Where to order",
        description="What the officers read beside the CSR: an address, a desk, a contract number.",
        examples=["https://ca.example.com/request"],
    )
    level: Literal["DV", "OV", "EV"] = Field("DV", title="Highest level that it issues")
    wildcard: bool = Field(True, title="Issues wildcard names")
    ip: bool = Field(False, title="Issues IP addresses")
    most_names: int = Field(100, ge=1, le=250, title="Most names in one certificate")
    longest_days: int = Field(200, ge=1, le=3650, title="Longest validity, days")
    caa_domains: tuple[str, ...] = Field(
        (), title="CAA names", description="The names by which CAA records permit it.", max_length=10
    )
