"""The rates of the engine: that they can be measured, and its floor (G1)."""

import pytest

from certdesk.pki.authority import bench

pytestmark = pytest.mark.usefixtures("ca")

BOTH = {"EC_P256", "RSA_2048"}


def test_the_engine_keeps_its_floor_beside_a_lean_issuance() -> None:
    """G1's floor is 0.5 F. Three short turns each, side by side; the best counts on a busy machine."""
    ratios: dict[str, float] = dict.fromkeys(BOTH, 0.0)
    for _ in range(3):
        lean, engine = bench.lean_rate(0.2), bench.engine_rate(0.2)
        for algorithm in BOTH:
            ratios[algorithm] = max(ratios[algorithm], engine[algorithm] / lean[algorithm])
    assert all(ratio >= 0.5 for ratio in ratios.values()), ratios


def test_the_other_rows_are_measured_too() -> None:
    for row in (bench.raw_sign_rate(0.02), bench.engine_with_csr_rate(0.02)):
        assert set(row) == BOTH
        assert all(rate > 0 for rate in row.values())
