"""Rates of requests: the bucket's rule, and the table that processes share."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as quickly
from hypothesis import strategies as st

from certdesk.foundation.common import settings
from certdesk.foundation.iam import rate_rules, rates
from certdesk.foundation.iam.rate_rules import SECOND, take
from certdesk.foundation.iam.rates import Table, TooFast

RATE = rate_rules.rate(10, 5)
NOW = 1_800_000_000 * SECOND


def passed(count: int, now: int, full_at: int = 0) -> tuple[int, int]:
    """How many of `count` requests at one moment pass, and when the bucket is full again."""
    good = 0
    for _ in range(count):
        full_at, wait = take(full_at, now, RATE)
        good += not wait
    return good, full_at


def test_a_burst_passes_and_not_one_more() -> None:
    good, full_at = passed(9, NOW)
    assert good == 5
    assert take(full_at, NOW, RATE)[1] == SECOND // 10
    assert take(full_at, NOW + SECOND // 10 - 1, RATE)[1] == 1
    assert take(full_at, NOW + SECOND // 10, RATE)[1] == 0


def test_a_rest_fills_the_bucket_and_no_further() -> None:
    _, full_at = passed(5, NOW)
    assert passed(9, NOW + SECOND // 2, full_at)[0] == 5
    assert passed(99, NOW + 3600 * SECOND, full_at)[0] == 5


def test_a_clock_that_was_set_back_locks_nobody_out_for_long() -> None:
    _, full_at = passed(5, NOW)
    earlier = NOW - 86_400 * SECOND
    full_at, wait = take(full_at, earlier, RATE)
    assert wait == SECOND // 10
    assert take(full_at, earlier + wait, RATE)[1] == 0


@quickly(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 2 * SECOND), max_size=60), st.integers(1, 50), st.integers(1, 50))
def test_never_more_than_the_burst_and_what_flowed_in(gaps: list[int], per_second: int, burst: int) -> None:
    rate = rate_rules.rate(per_second, burst)
    now, full_at, good = NOW, 0, 0
    for gap in gaps:
        now += gap
        full_at, wait = take(full_at, now, rate)
        good += not wait
    assert good <= burst + (now - NOW) // rate.step


def test_processes_share_the_table_and_a_restart_finds_it(tmp_path: Path) -> None:
    slow = rate_rules.rate(1, 4)
    now = time.time_ns() // 1000
    code = f"""if True:
        import sys
        from pathlib import Path
        from certdesk.foundation.iam import rate_rules, rates
        table, rate = rates.Table(Path(sys.argv[1])), rate_rules.rate(1, 4)
        print(sum(not table.take("k", {now}, rate) for _ in range(3)))
    """
    path = tmp_path / "rates"
    for expected in ("3", "1"):  # another process each time
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.strip() == expected
    assert Table(path).take("k", now, slow) > 0
    assert Table(path).take("another", now, slow) == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_flood_of_addresses_takes_no_memory_and_frees_no_busy_key(tmp_path: Path) -> None:
    table, slow = Table(tmp_path / "rates"), rate_rules.rate(1, 2)
    while not table.take("busy", NOW, slow):
        pass
    for number in range(3 * rates.SETS):
        table.take(f"address {number}", NOW - 3600 * SECOND, slow)  # whose buckets are full again
    assert (tmp_path / "rates").stat().st_size == rates.SETS * rates.WAYS * 16
    assert table.take("busy", NOW, slow) > 0


def test_where_the_file_cannot_be_had_the_process_counts_by_itself(tmp_path: Path) -> None:
    table, slow = Table(tmp_path / "absent" / "rates"), rate_rules.rate(1, 2)
    assert [bool(table.take("k", NOW, slow)) for _ in range(3)] == [False, False, True]
    assert not Table(None).take("k", NOW, slow)


@pytest.mark.parametrize(
    ("address", "whose"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("", ""),
    ],
)
def test_whose_address_it_is(address: str, whose: str) -> None:
    assert rates.network(address) == whose


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[None]:
    before = settings.get()
    slow = {"rate_key": 1, "rate_address": 0, "rate_sign_in": 1}
    settings.install(before.model_copy(update={"data": tmp_path, **slow}))
    yield
    settings.install(before)


def again(check: Callable[[str], None], key: str) -> None:
    """On a slow machine seconds may go by, and each fills in one request."""
    for _ in range(1000):
        check(key)


@pytest.mark.usefixtures("strict")
def test_the_refusal_says_what_why_and_when() -> None:
    for _ in range(5):
        rates.check_key("AK1")
    with pytest.raises(TooFast) as refused:
        again(rates.check_key, "AK1")
    assert str(refused.value) == "Too many requests with this access key. Wait 1 s, and send fewer at once."
    assert refused.value.retry_after == 1
    rates.check_key("AK2")
    for _ in range(50):
        rates.check_address("192.0.2.1")  # 0: no limit


@pytest.mark.usefixtures("strict")
def test_signing_in_is_counted_by_network() -> None:
    for number in range(10):
        rates.check_unsigned(f"2001:db8::{number}")
    with pytest.raises(TooFast):
        again(rates.check_unsigned, "2001:db8::99")
    rates.check_unsigned("2001:db8:0:1::1")
