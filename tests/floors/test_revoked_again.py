"""A revocation that came after the backup is made again from a CRL that somebody fetched."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.support.fresh import fresh

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.postgres]

ISSUE = r"""
import json
from certdesk.foundation.common import clock, ids, sql
from certdesk.lifecycle.certificates.models import Certificate, Version
from tests.support.authority import request, signed

now = clock.real_now()
serials = []
for number in range(2):
    serials.append(signed(request((f"r{number}.example.com",), now=now), now).serial)
for number, (serial, state) in enumerate(zip(serials, ("ISSUED", "REVOKING"))):
    one = Certificate.objects.create(
        id=f"scs{number:013d}", account_id="a", owner_id="u", name=f"n{number}", state=state, state_since=now,
        domain="r.example.com", current_version=1, created_at=now, updated_at=now, not_before=now,
        not_after=now.replace(year=now.year + 1), level="DV")
    Version.objects.create(
        certificate=one, number=1, cause="ISSUE", issuer="builtin:dv-p256", serial=serial, not_before=now,
        fingerprint_sha256="", fingerprint_sha1="", spki_sha256="", signature_algorithm="", key_algorithm="",
        not_after=one.not_after, der=b"", chain=b"", names="r.example.com", created_at=now)
print(json.dumps(serials))
"""
REVOKE = r"""
import json, sys
from pathlib import Path
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from certdesk.foundation.common import clock, sql
from certdesk.pki.authority import publishing, queries, revocation
from certdesk.pki.authority.models import Crl, Reason

now = clock.now()
with sql.short_transaction():
    for serial in sys.argv[2:]:
        revocation.revoke(serial, Reason.KEY_COMPROMISE, now)
    queries.insert_revocation({"serial": "0" * 31 + "7", "authority_id": "root-p256", "crl": "root-p256",
        "reason": 0, "revoked_at": clock.to_micros(now.replace(microsecond=0)),
        "not_after": clock.to_micros(now.replace(year=now.year + 1))})
publishing.publish_all(now)
for number, row in enumerate(Crl.objects.filter(entries__gt=0)):
    held = x509.load_der_x509_crl(bytes(row.der))
    encoding = Encoding.DER if number % 2 else Encoding.PEM
    Path(sys.argv[1], row.name + ".crl").write_bytes(held.public_bytes(encoding))
print(json.dumps(sorted(str(one) for one in Path(sys.argv[1]).glob("*.crl"))))
"""
AFTER = r"""
import json
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.pki.authority.models import Revocation
print(json.dumps([
    {row.serial: [row.reason, row.listed_in is not None] for row in Revocation.objects.all()},
    list(Certificate.objects.order_by("id").values_list("state", flat=True)),
]))
"""


def somebody_elses() -> bytes:
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Charlie's CA")])
    builder = x509.CertificateRevocationListBuilder().issuer_name(name).last_update(now)
    signed = builder.next_update(now + timedelta(days=1)).sign(
        ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()
    )
    return signed.public_bytes(Encoding.DER)


# rule: REV-4
def test_what_a_published_crl_shows_is_revoked_again(tmp_path: Path) -> None:
    password, crls = tmp_path / "password", tmp_path / "crls"
    password.write_text("correct horse battery\n", encoding="ascii")
    crls.mkdir()
    with fresh(tmp_path / "old") as old, fresh(tmp_path / "new") as new:
        old.run("init", "--account", "acme", "--admin", "alice", "--password-file", str(password))
        serials = old.python(ISSUE).answer
        file = old.run("backup", str(tmp_path / "kept")).answer["file"]
        files = old.python(REVOKE, str(crls), *serials).answer
        new.data.with_suffix(".kek").write_bytes(old.data.with_suffix(".kek").read_bytes())
        new.data.with_suffix(".kek").chmod(0o600)
        for wrong in (password, tmp_path / "absent"):
            refused = new.run("restore", file, "--crl", str(wrong))
            assert (refused.status, "cannot be read" in refused.err) == (2, True)
        foreign = tmp_path / "foreign.crl"
        foreign.write_bytes(somebody_elses())
        refused = new.run("restore", file, "--crl", str(foreign))
        assert (refused.status, "signed by no authority" in refused.err) == (2, True)
        given = [part for one in files for part in ("--crl", one)]
        done = new.run("restore", file, *given)
        assert (done.status, done.answer["revoked_again"]) == (0, 3), done.err
        revoked, states = new.python(AFTER).answer
        assert revoked == {**{serial: [1, True] for serial in serials}, "0" * 31 + "7": [0, True]}
        assert states == ["REVOKING", "REVOKING"]
