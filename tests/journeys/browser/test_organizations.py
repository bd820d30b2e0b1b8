"""§3.3, §3.4: the organization: mailed link, document, RA officer (two for EV), issuance."""

from pathlib import Path

from cryptography.x509.oid import NameOID

from tests.support.organization import PDF
from tests.support.person import Person
from tests.support.running import Stage
from tests.support.steps import applies, archive, chooses, leaf, pays, sets_record, verifies


def waits_for_an_officer(stage: Stage, alice: Person, kind: str, domain: str, company: str) -> str:
    """Bought, applied for, the name proved; answers the certificate's page."""
    alice.open()
    chooses(alice, kind)
    pays(alice)
    email = f"owner@{domain}"
    certificate = applies(alice, domain, company=company, email=email)
    sets_record(alice, stage.dns)
    verifies(alice)
    alice.state_is("Pending organization verification")
    return certificate


def checks_everything(officer: Person) -> None:
    for box in officer.main.get_by_role("checkbox").all():
        box.check()


def test_an_organization_is_approved_and_stands_in_the_certificate(stage: Stage, tmp_path: Path) -> None:
    # rule: ORG-1
    # rule: ORG-2
    # rule: ORG-3
    team = stage.team()
    alice, otto = team.person(), team.person("otto")
    certificate = waits_for_an_officer(stage, alice, "OV", "approved-shop.com", "Approved Shop Ltd")
    alice.next_is("an RA officer checks the organization", "RA officer")
    alice.sees("3 to 5 working days")
    mail = stage.mail.wait_for(
        lambda one: "owner@approved-shop.com" in one.recipients and "/confirm/organization-" in one.text
    )
    stranger = stage.sit_down()
    stranger.open(next(word for word in mail.text.split() if "/confirm/organization-" in word))
    stranger.page.get_by_label("Documents").check()
    stranger.page.get_by_role("button", name="Save").click()
    stranger.page.get_by_text("Your choice is saved.").wait_for()
    licence = tmp_path / "licence.pdf"
    licence.write_bytes(PDF)
    alice.open(f"{certificate}/organization")
    assert alice.main.get_by_label("Documents").is_checked()
    alice.main.get_by_label("Add a document").set_input_files(licence)
    alice.click("Upload")
    alice.sees("licence.pdf")
    otto.open()
    otto.menu("Organization checks")
    otto.click("Check Approved Shop Ltd")
    otto.next_is("check the organization, then approve or reject")
    request = otto.address
    assert Path(otto.saves("Save licence.pdf").path()).read_bytes() == PDF
    otto.click("Approve")
    otto.refused("check")
    checks_everything(otto)
    otto.click("Approve")
    otto.told("approved")
    alice.open(certificate)
    alice.state_is("Issued")
    alice.click("Download")
    subject = leaf(archive(alice, "Other")).subject
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "Approved Shop Ltd"
    stage.team().person("otto").gets_nothing(request)


def test_an_organization_is_rejected_and_applies_again_in_chinese(stage: Stage) -> None:
    # rule: ORG-3
    # rule: REO-1
    team = stage.team("zh-CN")
    alice, otto = team.person(), team.person("otto")
    certificate = waits_for_an_officer(stage, alice, "OV", "rejected-cn.com", "贵州示例贸易有限公司")
    alice.next_is("RA 审核员审核组织")
    otto.open("/organization-verifications")
    otto.click("审核 贵州示例贸易有限公司")
    otto.click("Reject")
    otto.page.locator(".cd-error").first.wait_for()
    otto.type("Reason", "营业执照上的名称不同。")
    otto.click("Reject")
    otto.page.get_by_role("status").first.wait_for()
    alice.open(certificate)
    alice.state_is("Approval failed")
    alice.next_is("The application was refused. Modify it and reapply; nothing is paid again.")
    alice.sees("营业执照上的名称不同。")
    alice.click("Modify and reapply")
    if not alice.address.endswith("/apply"):
        alice.state_is("Pending application")
        alice.click("Apply for certificate")
    assert alice.main.get_by_label("域名", exact=True).input_value() == "rejected-cn.com"
    alice.sees("营业执照上的名称不同。")
    alice.type("Company name", "贵州示例贸易集团有限公司")
    alice.main.get_by_role("checkbox").last.check()
    alice.click("Submit")
    alice.page.wait_for_url("**/verify")
    alice.open(certificate)
    alice.misses("Approval failed")


def test_an_ev_organization_needs_two_officers(stage: Stage) -> None:
    # rule: ORG-2
    team = stage.team()
    alice, otto, olga = (team.person(name) for name in ("alice", "otto", "olga"))
    certificate = waits_for_an_officer(stage, alice, "EV", "ev-bank.com", "EV Bank Ltd")
    alice.sees("7 to 10 working days")
    otto.open("/organization-verifications")
    otto.click("Check EV Bank Ltd")
    otto.sees("2 approvals of different officers are needed.")
    checks_everything(otto)
    otto.click("Approve")
    otto.told("A second, different officer has to approve too.")
    otto.click("EV Bank Ltd")
    otto.next_is("another officer decides")
    assert otto.main.get_by_role("button", name="Approve").count() == 0
    alice.open(certificate)
    alice.state_is("Pending organization verification")
    olga.open("/organization-verifications")
    olga.click("Check EV Bank Ltd")
    olga.sees("Decisions so far", "by otto")
    checks_everything(olga)
    olga.click("Approve")
    olga.page.get_by_role("status").first.wait_for()
    alice.state_is("Issued")
