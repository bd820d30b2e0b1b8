"""What the owner asks of each route so that it succeeds: then a refusal to somebody else means something."""

from collections.abc import Callable
from datetime import timedelta
from secrets import token_hex

from certdesk.foundation.common import clock
from certdesk.foundation.iam import actions as iam
from certdesk.foundation.iam import tokens
from certdesk.foundation.outbox.models import Message
from certdesk.interfaces.operations.registry import Operation
from certdesk.lifecycle.campaigns.models import Campaign
from certdesk.lifecycle.certificates.models import Certificate
from certdesk.lifecycle.discovery.models import Scan
from certdesk.lifecycle.notifications.models import Notices
from certdesk.lifecycle.validation import actions as validation
from certdesk.lifecycle.validation.organization_rules import checklist
from tests.support.automatic import options
from tests.support.balancer import REGION, connection
from tests.support.desk import COMPANY
from tests.support.organization import PDF
from tests.support.requests_of import request_for
from tests.support.signed import PASSWORD
from tests.support.uploads import World as Elsewhere

from . import balancers
from .asking import Ask
from .bodies import good
from .things import Side, issuer, kinds_of, record_set

Maker = Callable[[Side], Ask]
OWN: dict[str, Maker] = {}
"""Operation -> a good request, its path parameters only where they are not the side's usual thing."""

NOT_ASKED: dict[str, str] = {
    "approvals.cancel": "only the one who asked takes it back: no team mate succeeds (tests of approvals)",
    "tokens.create": "public: a password in the body says who asks (tests of tokens)",
}
"""Operation -> why no good request of the owner is made here."""

NOT_DONE: dict[str, str] = {
    "certificates.ca_answer": "no order waits for an officer here (tests of issuance)",
    "certificates.confirm_revocation": "no revocation waits for its mail here (tests of revocation)",
    "users.reset_second_factor": "the user has none (tests of the second factor)",
}
"""Operation -> why the owner's request is refused too; everybody else is asked all the same."""

_LENT = "/v3.0/OS-AGENCY/domains/{domain_id}/agencies/{agency_id}/roles/{role_id}"
BOUNDARY = "matrix-boundary"
PERSON = {
    "applicant_name": "Ada Lovelace",
    "applicant_phone": "+44 20 7946 0000",
    "applicant_email": "ada@example.com",
    "agree_privacy_protection": True,
    "key_algorithm": "EC_P256",
}
PRODUCT = {"cert_brand": "GEOTRUST", "cert_type": "DV_SSL_CERT", "agree_privacy_protection": True}


def own(*names: str) -> Callable[[Maker], Maker]:
    def enter(make: Maker) -> Maker:
        OWN.update(dict.fromkeys(names, make))
        return make

    return enter


def request_of(operation: Operation, side: Side) -> Ask:
    """A good request of the side's owner.

    Raises:
        KeyError: a kind of thing that nobody makes; the message says where to add it.
        NoValue: as `bodies.good`.
    """
    made = OWN[operation.name](side) if operation.name in OWN else Ask()
    values = {}
    for name, kind in kinds_of(operation).items():
        if name not in made.values and kind not in side.ids:
            raise KeyError(
                f"no thing of the kind {kind!r}: add how one is made to tests/support/matrix/things.py"
            )
        values[name] = made.values[name] if name in made.values else side.ids[kind]
    body = made.body
    if body is None and operation.request is not None:
        body = good(operation.request)
    return Ask(values, body, made.query, made.headers, made.by)


# --- certificates --------------------------------------------------------------------------------


@own("certificates.apply")
def _apply(side: Side) -> Ask:
    return Ask({"certificate_id": side.desk.buy()}, {**PERSON, "domain": side.name("applied")})


@own("certificates.cancel", "certificates.verify", "certificates.domain_verification")
def _checking(side: Side) -> Ask:
    return Ask({"certificate_id": side.checking()})


@own("certificates.resend_proof_mail")
def _mail(side: Side) -> Ask:
    certificate_id = side.desk.buy("OV_SSL_CERT")
    side.desk.apply(certificate_id, domain=side.name("mailed"), domain_method="EMAIL", **COMPANY)
    return Ask({"certificate_id": certificate_id}, {"domain": side.name("mailed")})


@own("bulk.create")
def _bulk(side: Side) -> Ask:
    body = {"action": "TAG", "options": {"key": "bulk", "value": "2"}}
    return Ask(body={**body, "certificate_ids": [side.ids["certificate_id"]]})


@own("certificates.reopen")
def _cancelled(side: Side) -> Ask:
    waiting = side.waiting()
    validation.decide(
        side.desk.someone("otto"),
        waiting,
        approve=False,
        checked=[],
        reason="No such company.",
        now=clock.now(),
    )
    return Ask({"certificate_id": waiting})


@own("certificates.renew")
def _renew(side: Side) -> Ask:
    certificate_id, end = side.issued(), clock.now() + timedelta(days=9)
    Certificate.objects.filter(id=certificate_id).update(not_after=end, paid_until=end)
    return Ask({"certificate_id": certificate_id}, {"is_auto_pay": True, "agree_privacy_protection": True})


@own("certificates.set_auto_renewal")
def _auto_renewal(side: Side) -> Ask:
    return Ask({"certificate_id": side.applied_and_issued()}, {"enabled": True})


@own("certificates.issue")
def _issue(side: Side) -> Ask:
    return Ask(body={**PRODUCT, "domain": side.name("shop"), "key_algorithm": "EC_P256"})


@own("certificates.batch_issue")
def _issue_batch(side: Side) -> Ask:
    return Ask(body={"items": [_issue(side).body] * 2})


def _reissuing(side: Side) -> str:
    certificate_id = side.applied_and_issued()
    side.post(f"/v3/scm/certificates/{certificate_id}/reissue", {**PERSON, "domain": side.name("other")})
    return certificate_id


@own("certificates.reissue")
def _reissue(side: Side) -> Ask:
    return Ask({"certificate_id": side.applied_and_issued()}, {**PERSON, "domain": side.name("other")})


@own("certificates.confirm_reissue", "certificates.decline_reissue")
def _decided(side: Side) -> Ask:
    return Ask({"certificate_id": _reissuing(side)})


def _with_room(side: Side) -> str:
    certificate_id = side.desk.buy(domain_type="MULTI_DOMAIN", names=3)
    side.desk.apply(certificate_id, domain=side.name("shop"), sans=f"www.{side.name('shop')}")
    validation.check_now(side.desk.alice, certificate_id)
    side.desk.run(strict=False)
    return certificate_id


def _more(side: Side) -> dict[str, str]:
    return {"add_sans": side.name("added"), "email": "matrix@example.com"}


@own("certificates.add_domains")
def _add_domains(side: Side) -> Ask:
    return Ask({"certificate_id": _with_room(side)}, _more(side))


@own("v2.add_domains")
def _add_domains_v2(side: Side) -> Ask:
    return Ask({"cert_id": _with_room(side)}, _more(side))


@own("certificates.unsubscribe")
def _paid(side: Side) -> Ask:
    return Ask({"certificate_id": side.desk.buy()})


def _uploaded(side: Side) -> str:
    return str(side.post("/v3/scm/certificates/import", _import(side).body)["certificate_id"])


@own("certificates.delete")
def _delete(side: Side) -> Ask:
    return Ask({"certificate_id": _uploaded(side)})


@own("v2.delete")
def _delete_v2(side: Side) -> Ask:
    return Ask({"cert_id": _uploaded(side)})


def _elsewhere() -> Elsewhere:
    return Elsewhere(clock.now())


@own("certificates.import")
def _import(side: Side) -> Ask:
    return Ask(body=_elsewhere().body())


@own("certificates.batch_import")
def _import_batch(side: Side) -> Ask:
    return Ask(body={"items": [_elsewhere().body()] * 2})


@own("certificates.batch_watch")
def _watch_list(side: Side) -> Ask:
    given = _elsewhere().body()
    return Ask(body={"certificates": f"{given['certificate']}{given.get('certificate_chain', '')}"})


@own("v2.upload")
def _import_v2(side: Side) -> Ask:
    given = _elsewhere().body()
    return Ask(
        body={
            "cert_name": "elsewhere",
            "cert": given["certificate"],
            "cert_chain": given.get("certificate_chain", ""),
            "private_key": given["private_key"],
        }
    )


@own("v2.apply", "v2.save")
def _apply_v2(side: Side) -> Ask:
    return Ask({"cert_id": side.desk.buy()}, {**PERSON, "domain": side.name("shop")})


@own("v2.cancel", "v2.domain_verify")
def _checking_v2(side: Side) -> Ask:
    return Ask({"cert_id": side.checking()})


@own("v2.edit")
def _edit_v2(side: Side) -> Ask:
    return Ask(body={"modify_key": "DESCRIPTION", "modify_value": "by the matrix"})


@own("v2.check_csr")
def _check_csr(side: Side) -> Ask:
    return Ask(body={"csr": request_for(side.name("shop")).pem})


@own("v2.cancel_privacy")
def _forget_v2(side: Side) -> Ask:
    return Ask({"cert_id": _forgettable(side)})


@own("v2.upload_proof")
def _proof_v2(side: Side) -> Ask:
    form = _upload_document(side)
    return Ask({"cert_id": side.ids["waiting"], "type": "TL"}, form.body, headers=form.headers)


@own("certificates.cancel_privacy")
def _forget(side: Side) -> Ask:
    return Ask({"certificate_id": _forgettable(side)})


def _forgettable(side: Side) -> str:
    """A certificate whose application was refused: its people are kept, and nobody approves it."""
    certificate_id = side.checking()
    Certificate.objects.filter(id=certificate_id).update(state="UNPASSED")
    return certificate_id


@own("certificates.edit")
def _edit(side: Side) -> Ask:
    return Ask(body={"name": "renamed"})


@own("certificates.cancel_privacy")
def _personal(side: Side) -> Ask:
    return Ask({"certificate_id": side.applied_and_issued()})


@own("v2.cancel_privacy")
def _personal_v2(side: Side) -> Ask:
    return Ask({"cert_id": side.applied_and_issued()})


@own("v2.apply", "v2.save")
def _apply_v2(side: Side) -> Ask:
    return Ask({"cert_id": side.desk.buy()}, {**PERSON, "domain": side.name("applied")})


@own("v2.edit")
def _edit_v2(side: Side) -> Ask:
    return Ask(body={"modify_key": "DESCRIPTION", "modify_value": "renamed"})


@own("v2.cancel")
def _cancel_v2(side: Side) -> Ask:
    return Ask({"cert_id": side.checking()})


@own("v2.check_csr")
def _check_csr(side: Side) -> Ask:
    return Ask(body={"csr": request_for(side.name("csr")).pem})


@own("v2.upload_proof")
def _proof_v2(side: Side) -> Ask:
    sent = _upload_document(side)
    return Ask({"cert_id": side.ids["waiting"], "type": "BL"}, sent.body, headers=sent.headers)


# --- organizations -------------------------------------------------------------------------------


@own("organization.show")
def _organization(side: Side) -> Ask:
    return Ask({"certificate_id": side.ids["waiting"]})


@own("organization.document", "organization.remove_document")
def _document(side: Side) -> Ask:
    return Ask({"certificate_id": side.ids["waiting"]})


@own("organization.method")
def _method(side: Side) -> Ask:
    return Ask({"certificate_id": side.ids["waiting"]}, {"method": "EMAIL"})


@own("organization.decide")
def _decide(side: Side) -> Ask:
    body = {"decision": "approve", "checked": [item.id for item in checklist("OV")]}
    return Ask({"certificate_id": side.ids["waiting"]}, body, by="bob")


@own("organization.documents")
def _upload_document(side: Side) -> Ask:
    head = (
        'Content-Disposition: form-data; name="document"; filename="a.pdf"\r\nContent-Type: application/pdf'
    )
    body = (
        f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode()
        + PDF
        + token_hex(8).encode()
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )
    return Ask(
        {"certificate_id": side.ids["waiting"]},
        body,
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    )


@own("companies.update")
def _company(side: Side) -> Ask:
    return Ask(body=COMPANY)


# --- campaigns -----------------------------------------------------------------------------------


CAMPAIGN = {"name": "by the matrix", "query": {"name": "nothing.example.com"}, "action": "DRILL"}


@own("campaigns.create")
def _campaign(side: Side) -> Ask:
    return Ask(body=CAMPAIGN)


@own("campaigns.update")
def _campaign_change(side: Side) -> Ask:
    return Ask({"id": _campaign_in(side, "DRAFT")}, CAMPAIGN)


@own("campaigns.preview", "campaigns.delete")
def _campaign_draft(side: Side) -> Ask:
    return Ask({"id": _campaign_in(side, "DRAFT")})


@own("campaigns.start")
def _campaign_ready(side: Side) -> Ask:
    return Ask({"id": _campaign_in(side, "READY")})


@own("campaigns.pause", "campaigns.cancel")
def _campaign_running(side: Side) -> Ask:
    return Ask({"id": _campaign_in(side, "RUNNING")})


def _campaign_in(side: Side, state: str) -> str:
    """One of no certificate at all."""
    made = str(side.post("/v3/scm/campaigns", CAMPAIGN)["id"])
    Campaign.objects.filter(id=made).update(state=state)
    return made


# --- discovery -----------------------------------------------------------------------------------


SCAN = {"name": "by the matrix", "targets": True}


@own("scans.create")
def _scan(side: Side) -> Ask:
    return Ask(body=SCAN)


@own("scans.update")
def _scan_change(side: Side) -> Ask:
    return Ask({"id": _scan_in(side, "IDLE")}, SCAN)


@own("scans.run", "scans.delete")
def _scan_idle(side: Side) -> Ask:
    return Ask({"id": _scan_in(side, "IDLE")})


@own("scans.cancel")
def _scan_running(side: Side) -> Ask:
    return Ask({"id": _scan_in(side, "RUNNING")})


def _scan_in(side: Side, state: str) -> str:
    made = str(side.post("/v3/scm/scans", SCAN)["id"])
    Scan.objects.filter(id=made).update(state=state)
    return made


@own("endpoints.adopt")
def _adopted(side: Side) -> Ask:
    agreed = {"mode": "REISSUE", "certificate_id": side.desk.buy(), "agree_privacy_protection": True}
    return Ask({"id": side.ids["endpoints"]}, agreed)


# --- CSRs, tags, notices -------------------------------------------------------------------------


@own("csrs.upload")
def _csr(side: Side) -> Ask:
    return Ask(body={"name": "uploaded", "csr": request_for(side.name("csr")).pem})


@own("tags.batch")
def _tags(side: Side) -> Ask:
    return Ask(body={"action": "create", "tags": [{"key": "team", "value": "a"}]})


@own("overview.set_mail")
def _weekly_mail(side: Side) -> Ask:
    return Ask(body={"enabled": False})  # switching on needs a mail address


@own("notices.enable", "notices.disable")
def _notices(side: Side) -> Ask:
    return Ask(body=[{"resource_id": side.ids["certificate_id"], "notice_type": ["CERT_EXPIRING"]}])


@own("notification_channels.create")
def _new_channel(side: Side) -> Ask:
    return Ask(body={"kind": "webhook", "options": {"url": "https://hook.invalid/"}})


@own("notification_channels.update")
def _relabel_channel(side: Side) -> Ask:
    return Ask(body={"label": "renamed"})


@own("notification_rules.create", "notification_rules.update")
def _new_notice_rule(side: Side) -> Ask:
    return Ask(body={"whom": "EMAIL", "recipient": f"r{token_hex(4)}@{side.zone}"})


@own("certificates.acknowledge_notices")
def _told(side: Side) -> Ask:
    """Its first notice has been told."""
    certificate_id = side.ids["certificate_id"]
    version = Certificate.objects.get(id=certificate_id).current_version
    told = {"version": version, "stage": "one-week", "told_at": clock.now()}
    Notices.objects.update_or_create(certificate_id=certificate_id, defaults=told)
    return Ask()


@own("messages.resend")
def _kept_message(side: Side) -> Ask:
    Message.objects.filter(id=side.ids["messages"]).update(state="FAILED", recipient=f"ops@{side.zone}")
    return Ask()


# --- DNS -----------------------------------------------------------------------------------------


@own("dns_connections.create")
def _connection(side: Side) -> Ask:
    return Ask(body={"provider": "rfc2136", "label": "again", "options": options(side.bind, side.zone)})


@own("acme_credentials.create")
def _credential(side: Side) -> Ask:
    return Ask(body={"label": "again"})


@own("acme_credentials.update")
def _relabel_credential(side: Side) -> Ask:
    return Ask(body={"label": "renamed"})


@own("dns_connections.update")
def _relabel(side: Side) -> Ask:
    return Ask(body={"label": "renamed"})


@own("recordsets.create")
def _record_set(side: Side) -> Ask:
    return Ask(body={"name": side.name(f"r{token_hex(4)}"), "type": "TXT", "records": ['"two"']})


@own("recordsets.show", "recordsets.delete")
def _own_record_set(side: Side) -> Ask:
    """A fresh one each time: what a request does to a DNS server is not undone."""
    return Ask({"recordset_id": record_set(side)})


@own("recordsets.update")
def _change_record_set(side: Side) -> Ask:
    return Ask({"recordset_id": record_set(side)}, {"records": ['"three"']})


# --- people --------------------------------------------------------------------------------------


@own("users.hand_over")
def _hand_over(side: Side) -> Ask:
    return Ask(body={"to": side.people["bob"].user.id})


@own("users.update")
def _user(side: Side) -> Ask:
    return Ask(body={"description": "the platform"})


@own("groups.attach_policy", "groups.detach_policy")
def _attach(side: Side) -> Ask:
    side.post(f"/v3/groups/{side.ids['groups']}/policies/{side.ids['roles']}", method="PUT")
    return Ask(body={})


@own("groups.update", "policies.update")
def _describe(side: Side) -> Ask:
    return Ask(body={"description": "the platform"})


@own("policies.create")
def _policy(side: Side) -> Ask:
    policy = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["scm:cert:list"]}]}
    return Ask(body={"display_name": "a new one", "policy": policy})


@own("policies.simulate")
def _simulate(side: Side) -> Ask:
    return Ask(body={"user": side.ids["users"], "action": "scm:cert:list"})


@own("access_keys.create")
def _key(side: Side) -> Ask:
    return Ask(body={"user_id": side.ids["users"]})


@own("access_keys.update")
def _switch_off(side: Side) -> Ask:
    return Ask(body={"status": "inactive"})


@own("tokens.check")
def _token(side: Side) -> Ask:
    alice = side.alice.user
    iam.set_password(alice, PASSWORD)
    made, _ = tokens.create(alice.account.name, "alice", PASSWORD, clock.real_now(), source="", request_id="")
    return Ask(headers={"X-Subject-Token": made})


@own("agencies.create")
def _agency(side: Side) -> Ask:
    body = {"name": "partners", "trust_domain_name": "there is no such account", "trust_users": ["pia"]}
    return Ask(body=body)


@own("agencies.update")
def _describe_agency(side: Side) -> Ask:
    return Ask(body={"description": "the platform"})


@own("agencies.attach_policy", "agencies.detach_policy")
def _lend(side: Side) -> Ask:
    ids = {name: side.ids[name] for name in ("domain_id", "agency_id", "role_id")}
    side.post(_LENT.format(**ids), {}, method="PUT")
    return Ask(body={})


@own("access_keys.temporary")
def _assume(side: Side) -> Ask:
    wish = {"agency_name": "helpers", "domain_id": side.account.id}
    return Ask(body={"auth": {"identity": {"methods": ["assume_role"], "assume_role": wish}}})


@own("projects.migrate")
def _migrate(side: Side) -> Ask:
    return Ask(body={"resource_type": "scm", "resource_id": side.ids["certificate_id"]})


# --- money ---------------------------------------------------------------------------------------


@own("orders.receipt")
def _paid_order(side: Side) -> Ask:
    return Ask({"order_id": Certificate.objects.get(id=side.ids["certificate_id"]).order_id})


@own("accounts.grant_coupon")
def _coupon(side: Side) -> Ask:
    return Ask(body={"code": "MATRIX10", "percent": 10, "expires_at": "2027-12-01"})


# --- approvals -----------------------------------------------------------------------------------


@own("approvals.decide")
def _approve(side: Side) -> Ask:
    return Ask(body={"decision": "approve"}, by="bob")


@own("approvals.set_rules")
def _rules(side: Side) -> Ask:
    return Ask(body={"items": [{"operation": "revoke"}]})


# --- deployment ----------------------------------------------------------------------------------


@own("targets.create")
def _target(side: Side) -> Ask:
    return Ask(body=connection(side.elb))


@own("targets.update")
def _relabel(side: Side) -> Ask:
    return Ask(body={"label": "renamed"})


@own("issuers.create")
def _issuer(side: Side) -> Ask:
    return Ask(body=issuer("further"))


@own("issuers.order_test")
def _test_order(side: Side) -> Ask:
    return Ask(body={"domain": side.name("trial")})


@own("issuers.of_product")
def _order(side: Side) -> Ask:
    return Ask(body=[side.ids["issuers"], "builtin"])


@own("agents.create")
def _host(side: Side) -> Ask:
    return Ask(body={"label": "web1"})


@own("agents.update")
def _rename_host(side: Side) -> Ask:
    return Ask(body={"label": "web2"})


@own("bindings.update")
def _policy_of_binding(side: Side) -> Ask:
    return Ask(body={"policy": "REPORT"})


@own("certificates.deploy")
def _deploy(side: Side) -> Ask:
    return Ask(body=balancers.wanted(side))


@own("certificates.deployed_resources")
def _deployed(side: Side) -> Ask:
    return Ask(body={"certificate_ids": [side.ids["certificate_id"]], "service_names": ["ALL"]})


@own("deployments.retry")
def _failed(side: Side) -> Ask:
    return Ask({"id": balancers.failed_deployment(side)})


@own("deployments.pause")
def _running(side: Side) -> Ask:
    return Ask({"id": balancers.held_deployment(side, paused=False)})


@own("deployments.resume")
def _paused(side: Side) -> Ask:
    return Ask({"id": balancers.held_deployment(side, paused=True)})


@own("deployments.cancel")
def _given_up(side: Side) -> Ask:
    return Ask({"id": balancers.held_deployment(side, paused=True)})


@own("certificates.push")
def _push(side: Side) -> Ask:
    """A fresh certificate each time: what a request does to a load balancer is not undone."""
    body = {"target_service": "ELB", "target_project": REGION}
    return Ask({"certificate_id": side.issued()}, body)


@own("certificates.batch_push")
def _batch_push(side: Side) -> Ask:
    body = {"target_service": "ELB", "target_projects": [REGION]}
    return Ask({"certificate_id": side.issued()}, body)


@own("v2.push")
def _push_v2(side: Side) -> Ask:
    return Ask({"cert_id": side.issued()}, {"service_type": "ELB", "remote_project": REGION})


# --- tools ---------------------------------------------------------------------------------------


@own("tools.decode")
def _decode(side: Side) -> Ask:
    return Ask(body={"text": str(_elsewhere().body()["certificate"])})


@own("tools.match")
def _match(side: Side) -> Ask:
    given = _elsewhere().body()
    return Ask(body={"text": given["certificate"], "private_key": given["private_key"]})


@own("tools.convert")
def _convert(side: Side) -> Ask:
    return Ask(body={"text": str(_elsewhere().body()["certificate"]), "format": "PKCS7"})


@own("tools.served")
def _served(side: Side) -> Ask:
    """Nobody listens there: that is an answer too."""
    return Ask(body={"host": "127.0.0.1", "port": 9999})
