"""Huawei Cloud DNS: the official client sends what the connector sends; its failures and slow changes."""

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkdns.v2 import (
    CreateRecordSetRequest,
    CreateRecordSetRequestBody,
    DeleteRecordSetRequest,
    DnsClient,
    ListPublicZonesRequest,
    ListRecordSetsByZoneRequest,
    ShowRecordSetRequest,
    UpdateRecordSetReq,
    UpdateRecordSetRequest,
)

from certdesk.connectors.dns.providers import registry
from certdesk.connectors.dns.providers.huawei import Huawei, HuaweiOptions
from certdesk.connectors.dns.providers.protocol import DnsError, Outside, Provider, Reason, Zone
from certdesk.connectors.dns.providers.zones import all_zones
from tests.support.huawei_dns import ACCESS_KEY, SECRET_KEY, Asked, HuaweiDns, Row, huawei_dns

NAME, VALUE = "_dnsauth.example.test", "0123456789abcdef" * 4


@pytest.fixture
def service() -> Iterator[HuaweiDns]:
    with huawei_dns("example.test") as state:
        yield state


def connect(service: HuaweiDns, **options: Any) -> Provider:
    given = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "service_url": service.url, **options}
    own = frozenset({("127.0.0.1", service.port)})
    return registry.connect("huawei", given, Outside(own_servers=own, seconds=10, settle=0.001))


def zone_of(service: HuaweiDns) -> Zone:
    return Zone("example.test", service.zones[0]["id"])


def add(service: HuaweiDns, value: str = VALUE) -> bool:
    return asyncio.run(connect(service).add_value(zone_of(service), NAME, "TXT", value))


def failed(service: HuaweiDns) -> DnsError:
    with pytest.raises(DnsError) as caught:
        add(service)
    return caught.value


def official(service: HuaweiDns) -> DnsClient:
    credentials = BasicCredentials(ACCESS_KEY, SECRET_KEY, "0" * 32)
    return DnsClient.new_builder().with_credentials(credentials).with_endpoints([service.url]).build()


def requests_of(service: HuaweiDns, work: Callable[[], object]) -> list[tuple[str, str, dict[str, str], Any]]:
    """What the service was asked, without repeats (waiting for a change asks more than once)."""
    service.asked.clear()
    work()
    found: list[tuple[str, str, dict[str, str], Any]] = []
    for one in service.asked:
        row = (one.method, re.sub("recordsets/.*", "recordsets/ID", one.path), one.query, one.body)
        if row not in found:
            found.append(row)
    return found


def test_the_official_client_sends_the_same(service: HuaweiDns) -> None:
    zone = zone_of(service)
    service.polls = 0

    def by_connector() -> None:
        desk = connect(service)
        asyncio.run(desk.zones())
        asyncio.run(desk.add_value(zone, NAME, "TXT", "one"))
        asyncio.run(desk.add_value(zone, NAME, "TXT", "two"))
        asyncio.run(desk.delete_record_set(zone, NAME, "TXT"))

    ours = requests_of(service, by_connector)

    def by_sdk() -> None:
        client = official(service)
        client.list_public_zones(ListPublicZonesRequest(type="public", limit=500))
        find = ListRecordSetsByZoneRequest(zone_id=zone.id, name=f"{NAME}.", search_mode="equal", limit=500)
        client.list_record_sets_by_zone(find)
        body = CreateRecordSetRequestBody(name=f"{NAME}.", type="TXT", ttl=300, records=['"one"'])
        made = client.create_record_set(CreateRecordSetRequest(zone_id=zone.id, body=body))
        assert made.status == "PENDING_CREATE"
        show = ShowRecordSetRequest(zone_id=zone.id, recordset_id=made.id)
        assert client.show_record_set(show).status == "ACTIVE"
        change = UpdateRecordSetReq(name=f"{NAME}.", type="TXT", ttl=300, records=['"one"', '"two"'])
        client.update_record_set(UpdateRecordSetRequest(zone_id=zone.id, recordset_id=made.id, body=change))
        gone = client.delete_record_set(DeleteRecordSetRequest(zone_id=zone.id, recordset_id=made.id))
        assert gone.status == "PENDING_DELETE"

    theirs = requests_of(service, by_sdk)
    assert {one[:2] for one in ours} == {one[:2] for one in theirs}
    assert [one for one in ours if one[0] != "GET"] == [one for one in theirs if one[0] != "GET"]
    for one in theirs:
        if one[0] == "GET":
            assert one in ours


def test_all_zones_and_record_sets_are_read_page_by_page(service: HuaweiDns) -> None:
    for number in range(600):
        service.add_zone(f"zone{number}.test")
    assert len(asyncio.run(all_zones(connect(service)))) == 601


def test_a_project_is_named_in_the_signed_headers(service: HuaweiDns) -> None:
    assert asyncio.run(connect(service, project_id="0" * 32).test()).ok


def test_a_record_that_stays_pending_is_tried_again_later(service: HuaweiDns) -> None:
    service.polls = 1000
    error = failed(service)
    assert (error.reason, error.permanent) == (Reason.TIMEOUT, False)


def test_an_old_set_that_is_still_leaving_is_waited_for(service: HuaweiDns) -> None:
    add(service, "leftover")
    row = next(row for row in service.sets.values() if row["type"] == "TXT")
    row.update(status="PENDING_DELETE", left=0)
    service.fail = lambda asked: leave(service, asked)
    assert add(service) is True
    assert [one["records"] for one in service.sets.values() if one["type"] == "TXT"] == [[f'"{VALUE}"']]


def leave(service: HuaweiDns, asked: Asked) -> None:
    """The old set goes once the new one has been refused."""
    refused = [one for one in service.asked if one.method == "POST"]
    if refused and asked.method == "GET":
        for row in [row for row in service.sets.values() if row["status"] == "PENDING_DELETE"]:
            del service.sets[row["id"]]


def test_somebody_who_writes_between_our_reading_and_writing_loses_nothing(service: HuaweiDns) -> None:
    """He read before us and writes after us: both values stand there in the end."""
    zone_id, done = zone_of(service).id, []

    def overtake(asked: Asked) -> None:
        if asked.method == "POST" and not done:
            done.append("created before us")
            service._make(zone_id, {"name": f"{NAME}.", "type": "TXT", "ttl": 60, "records": ['"foreign"']})
        elif asked.method == "PUT" and len(done) == 1:
            done.append("wrote after us")
            service.polls = 0
            asked.body["records"] = ['"foreign"', '"second"']

    service.fail = overtake  # type: ignore[assignment]
    assert add(service) is True
    [row] = [row for row in service.sets.values() if row["type"] == "TXT"]
    assert sorted(row["records"]) == sorted(['"foreign"', '"second"', f'"{VALUE}"'])
    assert row["ttl"] == 60


@pytest.mark.parametrize(
    ("status", "body", "reason", "permanent"),
    [
        (429, {"error_code": "APIGW.0308", "error_msg": "throttled"}, Reason.BUSY, False),
        (500, {}, Reason.BUSY, False),
        (503, {"code": "DNS.0001", "message": "maintenance"}, Reason.BUSY, False),
        (409, {}, Reason.CONTENDED, False),
        (401, {"error_code": "APIGW.0301", "error_msg": SECRET_KEY}, Reason.WRONG_KEY, True),
        (403, {"code": "DNS.0030", "message": "Policy does not allow"}, Reason.REFUSED, True),
        (400, {"code": "DNS.0303", "message": "bad"}, Reason.REFUSED, True),
        (200, {"no": "list"}, Reason.BAD_ANSWER, True),
        (302, {}, Reason.REFUSED, True),
    ],
)
def test_what_an_answer_means(
    service: HuaweiDns, status: int, body: Row, reason: Reason, permanent: bool
) -> None:
    service.fail = lambda asked: (status, body)
    error = failed(service)
    assert (error.reason, error.permanent) == (reason, permanent), error
    assert error.next_step
    assert SECRET_KEY not in str(error)
    tested = asyncio.run(connect(service).test())
    assert (tested.ok, tested.problem != "") == (False, True)


@pytest.mark.parametrize(("status", "reason"), [("ERROR", Reason.BAD_ANSWER), ("DISABLE", Reason.CONFLICT)])
def test_a_change_that_ends_badly(service: HuaweiDns, status: str, reason: Reason) -> None:
    def spoil(asked: Asked) -> None:
        for row in service.sets.values():
            if row["type"] == "TXT":
                row["status"] = status

    service.fail = spoil  # type: ignore[assignment]
    assert failed(service).reason is reason


def test_rows_that_are_not_shaped_as_documented(service: HuaweiDns) -> None:
    service.fail = lambda asked: (200, {"zones": [{"id": 1}], "recordsets": [{"id": 1, "name": "x."}]})
    for step in (connect(service).zones, lambda: connect(service).record_sets(zone_of(service))):
        with pytest.raises(DnsError, match="did not answer as Huawei"):
            asyncio.run(step())


def test_the_account_has_no_zone(service: HuaweiDns) -> None:
    service.zones.clear()
    tested = asyncio.run(connect(service).test())
    assert (tested.ok, tested.problem) == (False, "The account has no public zone.")


def test_a_clock_that_is_wrong_is_refused_by_the_service(service: HuaweiDns) -> None:
    given = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "service_url": service.url}
    options = HuaweiOptions.model_validate(given)
    own = replace(Outside(), own_servers=frozenset({options.endpoint()}))
    late = Huawei(options, own, now=lambda: datetime.now(UTC) - timedelta(minutes=20))
    with pytest.raises(DnsError) as caught:
        asyncio.run(late.zones())
    assert caught.value.reason is Reason.WRONG_KEY
