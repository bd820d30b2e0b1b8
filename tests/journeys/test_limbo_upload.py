"""x509-limbo through the upload: every verdict is the one written down in `data/x509_limbo.json`.

A verdict is `accepted`, `flagged` with the codes of the findings, or `refused` with the code of the refusal:
a case that is refused for another reason than before is seen too. The file's `differences` say why a verdict
differs from the suite's: an upload has no trust store, no revocation lists and no peer name, and it wants a
host name.
"""

import json
import time
from pathlib import Path

import pytest

from certdesk.foundation.common.errors import CertdeskError
from certdesk.pki.x509 import keys, uploaded_keys
from certdesk.pki.x509.errors import UploadRefused
from tests.support import limbo
from tests.support.limbo import Case
from tests.support.rulebook import Caller, LabClock

EXPECTED = json.loads((Path(__file__).parent / "data" / "x509_limbo.json").read_text())
pytestmark = [
    pytest.mark.skipif(not limbo.path().exists(), reason=f"no x509-limbo at {limbo.path()}"),
    pytest.mark.filterwarnings("ignore:Parsed a serial number"),  # as the running service takes it
]


def verdict(alice: Caller, case: Case) -> str:
    body = {
        "name": "limbo",
        "certificate": case.certificate,
        "certificate_chain": case.chain,
        "private_key": case.key,
    }
    try:
        answer = alice("certificates.import", body=body)
    except CertdeskError as refused:
        known = isinstance(refused, UploadRefused) and refused.code
        return f"refused {refused.code}" if known else f"crash: {refused!r}"
    codes = sorted({one["code"] for one in answer["findings"]})
    return f"flagged {','.join(codes)}" if codes else "accepted"


@pytest.fixture
def verdicts(lab: LabClock, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Each case uploaded at its own time. Where the suite has no private key, one stands in for it."""
    stand_in, read = keys.generate(keys.KeyAlgorithm.EC_P256), uploaded_keys.read
    found, took = {}, {}
    for case in limbo.cases():
        monkeypatch.setattr(uploaded_keys, "read", read if case.key else lambda *given: stand_in)
        lab.at(case.now.replace(microsecond=0))  # the lab's clock moves by whole seconds
        before = time.process_time()
        found[case.id] = verdict(alice, case)
        took[case.id] = time.process_time() - before
    slowest = max(took, key=lambda one: took[one])
    print(f"\n{len(took)} cases, the slowest {slowest}: {took[slowest] * 1000:.0f} ms of CPU")  # noqa: T201
    return found


def test_every_verdict_is_the_one_written_down(verdicts: dict[str, str]) -> None:
    # rule: UPL-4
    # rule: UPL-6
    assert len(verdicts) == 208
    assert verdicts == EXPECTED["verdicts"]
    differ = {
        case.id
        for case in limbo.cases()
        if verdicts[case.id].partition(" ")[0] == ("refused" if case.wanted else "accepted")
    }
    assert differ == set(EXPECTED["differences"])
    passed = [case for case in limbo.cases() if not case.wanted and limbo.library_takes(case)]
    missed = [case.id for case in passed if verdicts[case.id] == "accepted"]
    assert all(one.startswith("crl::") for one in missed)  # no revocation list comes with an upload
    assert len(passed) - len(missed) >= 31
