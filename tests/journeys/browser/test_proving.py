"""§3.2: the proof of each name: DNS by hand and by itself, record sets, a file, a mail."""

from pathlib import Path

from tests.support import needs
from tests.support.automatic import KEYS, RIGHTS
from tests.support.bind import NAMED, REASON, bind
from tests.support.running import Stage
from tests.support.steps import applies, archive, chooses, common_names, leaf, pays, sets_record, verifies


def test_dns_by_hand_a_wrong_record_the_right_one_and_every_download(stage: Stage) -> None:
    # rule: DOM-2
    # rule: DOM-4
    # rule: DOM-5
    # rule: DOM-17
    # rule: ISS-1
    # rule: ISS-3
    alice = stage.team().person()
    alice.open()
    chooses(alice, "DV")
    pays(alice)
    certificate = applies(alice, "www.hand-shop.com", email="owner@hand-shop.com")
    alice.state_is("Pending domain name verification")
    alice.next_is("add this DNS record, then press Verify", "whoever manages the domain's DNS")
    alice.sees(
        "Alias",
        "Line",
        "TTL (s)",
        "nslookup -q=TXT _dnsauth.hand-shop.com",
        "only after the certificate is issued",
    )
    mail = stage.mail.wait_for(lambda one: "owner@hand-shop.com" in one.recipients)
    assert alice.copied("Value").strip('"') in mail.text
    verifies(alice)
    alice.sees("NXDOMAIN", "it was set on another DNS platform")
    verifies(alice)
    assert alice.main.locator("li").filter(has_text="NXDOMAIN").count() == 1  # seen again, told once
    name, value = sets_record(alice, stage.dns)
    stage.dns.set(name, "TXT", ["the-old-value"])
    verifies(alice)
    alice.next_is("correct the DNS record, then press Verify")
    alice.sees("the-old-value")
    charlie = stage.team().person()
    charlie.gets_nothing(f"{certificate}/verify", f"{certificate}/download")
    stage.dns.set(name, "TXT", ["the-old-value", value.strip('"')])
    verifies(alice)
    alice.told("verified")
    alice.state_is("Issued")
    alice.next_is("It is issued and in force: download it for your server.")
    alice.sees("your private CA", "Domain names verified")
    assert alice.main.locator("li").filter(has_text="Bought").last.inner_text().endswith("by alice")
    alice.click("Download")
    for server, ending in (("Nginx", ".key"), ("Apache", ".crt"), ("Tomcat", ".jks"), ("IIS", ".pfx")):
        assert any(one.endswith(ending) for one in archive(alice, server)), server
    assert common_names(leaf(archive(alice, "Other"))) == ["www.hand-shop.com"]
    assert len(archive(alice, "All of them")) > 8


def test_each_name_of_many_is_verified_on_its_own(stage: Stage) -> None:
    # rule: DOM-1
    # rule: DOM-15
    alice = stage.team().person()
    alice.open()
    chooses(alice, "OV", "Multiple domains", domains=4, wildcards=1)
    pays(alice)
    applies(alice, "many-one.com", "www.many-one.com\n*.many-one.com\nmany-two.com", company="Many Names Ltd")
    alice.next_is("add these 2 DNS records")
    alice.sees("0 of 4 domain names are verified")
    one = alice.main.locator("details").filter(has_text="many-two.com").last
    name = one.locator(".cd-value").first.inner_text()
    assert name == "_dnsauth.many-two.com"
    stage.dns.set(name, "TXT", [one.locator(".cd-value").nth(1).inner_text().strip('"')])
    verifies(alice)
    alice.sees("1 of 4 domain names are verified", "NXDOMAIN", "Verified names")
    sets_record(alice, stage.dns)
    verifies(alice)
    alice.state_is("Pending organization verification")
    alice.next_is("an RA officer checks the organization", "RA officer")


def test_automatic_dns_over_a_connection(stage: Stage) -> None:
    # rule: DOM-7
    stage.dns.set("auto-shop.com", "SOA", ["ns1.auto-shop.com. root.auto-shop.com. 1 60 60 86400 5"])
    team = stage.team()
    alice = team.person()
    alice.open()
    alice.menu("DNS")
    alice.sees("No DNS provider connected")
    alice.click("Connect a DNS provider")
    alice.click("Choose DNS UPDATE")
    alice.sees("Least privilege")
    alice.type("Primary server", "127.0.0.1")
    alice.type("Port", str(stage.dns.port))
    alice.type("Zones", "auto-shop.com")
    alice.click("Save and test")
    alice.refused("TSIG")
    alice.tick("Without a key")
    alice.click("Save and test")
    alice.sees("auto-shop.com", "Public zones")
    connection = alice.address
    chooses(alice, "DV")
    pays(alice)
    certificate = applies(alice, "www.auto-shop.com", method="Automatic DNS verification")
    alice.next_is("the record is added and checked by itself")
    alice.state_is("Issued")
    alice.open(f"{certificate}/verify")
    alice.sees("Automatic DNS")
    alice.menu("Domains")
    alice.misses("by hand")
    charlie = stage.team().person()
    charlie.gets_nothing(connection, f"{connection}/edit")
    charlie.open("/dns")
    charlie.sees("No DNS provider connected")


def test_record_sets_are_added_modified_and_deleted(stage: Stage, tmp_path: Path) -> None:
    needs.need(NAMED is not None, REASON)
    with bind(tmp_path, {"zone-shop.com": ""}, keys=KEYS, rights={"zone-shop.com": RIGHTS}) as server:
        alice = stage.team().person()
        alice.open("/dns")
        alice.click("Connect a DNS provider")
        alice.click("Choose DNS UPDATE")
        for label, text in (
            ("Primary server", "127.0.0.1"),
            ("Port", str(server.port)),
            ("Zones", "zone-shop.com"),
            ("TSIG key name", "certdesk"),
            ("TSIG secret", KEYS["certdesk"]),
        ):
            alice.type(label, text)
        alice.click("Save and test")
        alice.click("zone-shop.com")
        alice.sees("ns1.zone-shop.com")
        alice.click("Add record set")
        alice.type("Name", "_dnsauth")
        alice.pick("Type", "TXT")
        alice.type("Value", '"no end')
        alice.click("Add")
        alice.refused("is not one of type TXT")
        alice.type("Value", '"first"')
        alice.click("Add")
        alice.sees('"first"', "300", within=alice.row("_dnsauth.zone-shop.com"))
        zone = alice.address
        alice.click("Modify", alice.row("_dnsauth.zone-shop.com"))
        alice.type("Value", '"second"')
        alice.click("Save")
        alice.sees('"second"')
        alice.misses('"first"')
        alice.click("Delete", alice.row("_dnsauth.zone-shop.com"))
        alice.sees("_dnsauth.zone-shop.com")
        alice.main.get_by_role("button", name="Delete").click()
        alice.told("deleted")
        alice.misses('"second"')
        stage.team().person().gets_nothing(zone)


def test_a_file_on_a_real_web_server(stage: Stage) -> None:
    # rule: DOM-8
    alice = stage.team().person()
    alice.open()
    chooses(alice, "DV")
    pays(alice)
    certificate = applies(alice, "file-shop.com", method="File verification")
    alice.next_is("put this file on the web server", "whoever runs the web server")
    alice.sees("http://file-shop.com/.well-known/pki-validation/fileauth.txt")
    stage.dns.set("file-shop.com", "A", ["127.0.0.1"])
    verifies(alice)
    alice.sees("404")
    saved = alice.saves("Download the file")
    assert saved.suggested_filename == "fileauth.txt"
    charlie = stage.team().person()
    charlie.gets_nothing(f"{certificate}/verify/fileauth.txt?name=file-shop.com")
    path = "/.well-known/pki-validation/fileauth.txt"
    stage.web.put("file-shop.com", path, "of the previous certificate")
    verifies(alice)
    alice.next_is("correct the file")
    stage.web.put("file-shop.com", path, Path(saved.path()).read_text(encoding="ascii"))
    verifies(alice)
    alice.told("verified")
    alice.state_is("Issued")


def test_a_mail_is_confirmed_by_link_and_button(stage: Stage) -> None:
    # rule: DOM-9
    alice = stage.team().person()
    alice.open()
    chooses(alice, "OV")
    pays(alice)
    applies(alice, "shop.mail-shop.com", method="Email verification", company="Mail Shop Ltd")
    alice.next_is("a mailbox of the domain confirms by the link in its mail", "reads the domain's mailboxes")
    alice.sees("hostmaster@mail-shop.com", "opening alone confirms nothing")
    mail = stage.mail.wait_for(lambda one: "admin@mail-shop.com" in one.recipients)
    link = next(word for word in mail.text.split() if "/confirm/" in word)
    owner = stage.sit_down()
    owner.open(link)
    owner.page.get_by_text("May a certificate be issued for your domain?").wait_for()
    owner.page.get_by_text("Mail Shop Ltd").wait_for()
    alice.page.reload()
    alice.state_is("Pending domain name verification")
    owner.page.get_by_role("button", name="Yes, I confirm").click()
    owner.page.get_by_text("Thank you, it is confirmed.").wait_for()
    alice.state_is("Pending organization verification")
    owner.open(link)
    owner.page.get_by_text("This domain name is confirmed already.").wait_for()
    owner.open(link + "x")
    owner.page.get_by_text("This link is not known.").wait_for()
