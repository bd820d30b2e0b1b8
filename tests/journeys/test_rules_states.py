"""LST-6: every state of the guide's table exists, under its name, in the console's list and in the API."""

from datetime import timedelta

import pytest

from certdesk.foundation.common import clock
from certdesk.foundation.iam import queries
from certdesk.foundation.iam.principal import Via
from certdesk.lifecycle.certificates.states import ROWS, State
from tests.support.inventory import placed
from tests.support.office import Office
from tests.support.rulebook import Caller

TABLE = {
    "PAID": "Pending application",
    "CHECKING": "Pending domain name verification",
    "CHECKING_ORG": "Pending organization verification",
    "ISSUING": "To be issued",
    "ISSUED": "Issued",
    "UNPASSED": "Approval failed",
    "SUPPLEMENTCHECKING": "CA verifying (domain name addition)",
    "CANCELCHECKING": "CA verifying (application withdrawal)",
    "REVOKING": "CA verifying (revocation)",
    "REVOKING_DOMAIN": "CA verifying revocation (pending domain name verification)",
    "REISSUING": "CA verifying (reissue)",
    "REVOKED": "Revoked",
    "UPLOAD": "Hosted",
    "EXPIRED": "Expired",
}
"""As table 5-3 writes them, beside the code of the API."""
OURS = {"CANCELSUPPLEMENTING", "UNSUBSCRIBING", "DELETED"}
"""A withdrawal of an addition shows the addition's name; the review of a refund and what is gone are none."""


@pytest.mark.django_db
def test_all_states_of_the_table_stand_in_the_list_and_in_the_api(office: Office) -> None:
    # rule: LST-6
    assert {state.value for state in State} == set(TABLE) | OURS
    assert {code: ROWS[State(code)].title for code in TABLE} == TABLE
    assert ROWS[State.CANCELSUPPLEMENTING].title == TABLE["SUPPLEMENTCHECKING"]
    alice = Caller(queries.principal_of(office.people["alice"], Via.API))
    certificate_id = office.desk.issued("www.example.com")
    for code, title in TABLE.items():
        past = code == "EXPIRED"
        end = clock.now() + timedelta(days=-1 if past else 300)
        placed(certificate_id, State.ISSUED if past else State(code), end)
        assert alice.status(certificate_id) == code
        assert [one["status"] for one in alice("certificates.list")["certificates"]] == [code]
        page = office.client("alice").get("/certificates").content.decode()
        assert f'data-status="{code}"' in page
        assert title in page
        found = office.client("alice").get("/certificates", {"status": code}).content.decode()
        assert f'data-certificate-id="{certificate_id}"' in found
