"""What the simulated CA sells: CertCentral's own product identifiers."""

from dataclasses import dataclass

POLICIES = {"DV": "2.23.140.1.2.1", "OV": "2.23.140.1.2.2", "EV": "2.23.140.1.1"}
LONGEST_DAYS = 199
MOST_NAMES = 250


@dataclass(frozen=True, slots=True)
class Product:
    """`level`: DV, OV or EV."""

    name_id: str
    name: str
    level: str

    @property
    def wildcard(self) -> bool:
        return self.level != "EV"


PRODUCTS = {
    one.name_id: one
    for one in (
        Product("ssl_dv_geotrust_flex", "GeoTrust DV SSL", "DV"),
        Product("ssl_dv_rapidssl", "RapidSSL Standard DV", "DV"),
        Product("ssl_basic", "Basic OV", "OV"),
        Product("ssl_securesite_flex", "Secure Site OV", "OV"),
        Product("ssl_ev_basic", "Basic EV", "EV"),
        Product("ssl_ev_securesite_flex", "Secure Site EV", "EV"),
    )
}
