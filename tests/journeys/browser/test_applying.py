"""§3.1: refused names that teach, an own CSR, what is filled in, withdrawing; and looking before ordering."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.running import Stage
from tests.support.steps import (
    applies,
    archive,
    chooses,
    common_names,
    fills_in_applicant,
    leaf,
    pays,
    sets_record,
    submits,
    verifies,
)

REFUSED = {
    "例子.teach-cn.com": ("包含 ASCII 以外的字符", "请改为填写 xn--fsqu00a.teach-cn.com。"),
    "bad_name.teach-cn.com": ("包含下划线，域名中不允许使用。", "请更正域名。"),
    "192.0.2.7": ("是 IP 地址。", "请填写服务器的域名。"),
    "co.uk": ("本身是公共后缀", "请填写您在其下拥有的域名。"),
    "*.teach-cn.com": ("单域名证书只含一个普通域名", "请填写不含 * 的域名，或购买泛域名证书。"),
    "intranet": ("只有一级，是内部名称", "请使用您在公共 DNS 中拥有的域名。"),
}
"""Name -> what is wrong with it, and what to do."""


def csr(name: str) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_refused_names_teach_in_chinese(stage: Stage) -> None:
    # rule: APP-6
    # rule: APP-7
    alice = stage.team("zh-CN").person()
    alice.open()
    chooses(alice, "DV")
    pays(alice)
    alice.click("Apply for certificate")
    fills_in_applicant(alice)
    alice.main.get_by_role("checkbox").last.check()
    for name, (fault, advice) in REFUSED.items():
        alice.type("Domain name", name)
        alice.click("Submit")
        alice.refused(name, fault, advice)
        alice.misses("The name ")
        assert alice.main.get_by_label("域名", exact=True).input_value() == name
    alice.type("Domain name", "xn--fsqu00a.teach-cn.com")
    submits(alice)
    alice.sees("例子.teach-cn.com", "xn--fsqu00a.teach-cn.com")


def test_an_uploaded_csr_names_the_domain_and_keeps_its_key(stage: Stage) -> None:
    # rule: APP-2
    # rule: APP-12
    # rule: ISS-3
    alice = stage.team().person()
    alice.open()
    chooses(alice, "DV")
    pays(alice)
    alice.click("Apply for certificate")
    alice.tick("Upload a CSR")
    alice.sees("the certificate cannot be deployed or pushed from here")
    assert not alice.main.get_by_label("Key algorithm").is_visible()
    alice.type("Your CSR (PEM)", "-----BEGIN NONSENSE-----")
    fills_in_applicant(alice)
    alice.main.get_by_role("checkbox").last.check()
    alice.click("Submit")
    alice.refused("CSR")
    alice.type("Your CSR (PEM)", csr("csr-shop.com"))
    submits(alice)
    sets_record(alice, stage.dns)
    verifies(alice)
    alice.told("verified")
    alice.state_is("Issued")
    alice.sees("yours (the key was never here)")
    alice.click("Download")
    alice.sees("The private key is not in it")
    files = archive(alice, "Nginx")
    assert common_names(leaf(files)) == ["csr-shop.com"]
    assert not any(name.endswith(".key") for name in files)


def test_the_second_application_is_filled_in_from_the_first(stage: Stage) -> None:
    # rule: APP-11
    team = stage.team()
    alice = team.person()
    alice.open()
    chooses(alice, "OV", quantity=2)
    pays(alice)
    alice.click("Go to the certificates")
    applies(alice, "first-of-two.com", company="Two Shops Ltd")
    alice.menu("Contacts and companies")
    alice.sees("Two Shops Ltd", "Ada Lovelace", "ada@example.com")
    alice.click("Edit Ada Lovelace")
    alice.type("Name", "Grace Hopper")
    alice.click("Save")
    alice.sees("Grace Hopper")
    bob = team.person("bob")
    bob.open()
    bob.click("Apply for certificate")
    assert bob.main.get_by_label("Company name").last.input_value() == "Two Shops Ltd"
    bob.page.get_by_text("Fill in from contacts and companies").click()
    bob.type("Name", "Somebody Else")
    bob.main.get_by_label("Applicant").first.select_option(index=1)
    bob.click("Fill in")
    assert bob.main.get_by_label("Name", exact=True).input_value() == "Grace Hopper"
    charlie = stage.team().person()
    charlie.open("/contacts")
    charlie.misses("Two Shops Ltd", "Ada Lovelace", "Grace Hopper")


def test_an_application_is_withdrawn_and_sent_again(stage: Stage) -> None:
    # rule: WDR-1
    # rule: WDR-2
    # rule: WDR-5
    alice = stage.team().person()
    alice.open()
    chooses(alice, "DV", "Multiple domains", domains=2)
    pays(alice)
    certificate = applies(alice, "www.withdrawn-shop.com", "withdrawn-other.com")
    sets_record(alice, stage.dns)
    verifies(alice)
    alice.sees("1 of 2 domain names are verified")
    charlie = stage.team().person()
    charlie.gets_nothing(f"{certificate}/withdraw")
    alice.open(certificate)
    alice.click_more("Withdraw application")
    alice.sees("Nothing is paid again.", "what was proved under this application counts no longer")
    alice.click("Keep it")
    alice.state_is("Pending domain name verification")
    alice.click_more("Withdraw application")
    alice.click("Withdraw application")
    alice.told("Request for canceling the application submitted successfully.")
    alice.state_is("Pending application")
    alice.click("Apply for certificate")
    assert alice.main.get_by_label("Name", exact=True).input_value() == "Ada Lovelace"
    alice.type("Domain name", "www.withdrawn-shop.com")
    alice.type("Additional domain names", "withdrawn-third.com")
    submits(alice)
    alice.sees("0 of 2 domain names are verified")


def test_looking_before_ordering_and_the_page_of_domains(stage: Stage) -> None:
    alice = stage.team().person()
    stage.dns.set("caa-shop.com", "CAA", ['0 issue "other-ca.example"'])
    alice.open()
    alice.menu("Domains")
    alice.sees("No domain names yet", "the pre-flight says what would fail and why")
    alice.click("Run the pre-flight")
    alice.sees("Nothing is ordered or changed.")
    alice.type("Domain names", "*.co.uk\ncaa-shop.com\nfine-shop.com")
    alice.pick("Certificate authority", "GeoTrust")
    alice.pick("Certificate type", "DV")
    alice.click("Run the pre-flight")
    alice.sees("This would fail.", "would fail", "public suffix", "CAA", "_dnsauth.fine-shop.com")
    alice.type("Domain names", "fine-shop.com")
    alice.click("Run the pre-flight")
    alice.sees("Nothing stands in the way.")
    alice.click("Buy")
    alice.click("Next")
    alice.sees("DV · Single domain")
    pays(alice)
    applies(alice, "fine-shop.com")
    sets_record(alice, stage.dns)
    verifies(alice)
    alice.state_is("Issued")
    alice.menu("Domains")
    alice.sees("by hand", within=alice.row("fine-shop.com"))
    alice.click("fine-shop.com")
    alice.sees("Last proof", "Reuse ends", "its value comes with each application")
    domain = alice.address
    alice.click("Look up now")
    alice.sees("CAA")
    stage.team().person().gets_nothing(domain)
