"""The rates of the engine: that they can be measured (G1)."""

import pytest

from certdesk.pki.authority import bench

pytestmark = pytest.mark.usefixtures("ca")

BOTH = {"EC_P256", "RSA_2048"}


def test_every_row_is_measured() -> None:
    """That the rates can be taken; how fast they are is for `./certdesk bench` to say, on a quiet machine."""
    for rate_of in (bench.lean_rate, bench.engine_rate, bench.raw_sign_rate, bench.engine_with_csr_rate):
        rates = rate_of(0.02)
        assert set(rates) == BOTH
        assert all(rate > 0 for rate in rates.values())
