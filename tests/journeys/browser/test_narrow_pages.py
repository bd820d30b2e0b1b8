"""Pages of chapters 2 and 3, wide and narrow, full, in both languages: none too wide, none that axe minds.

`PICTURES_FOLDER=/tmp/pictures` also keeps a picture of each, at 390 and at 1280 pixels.
"""

import pytest

from tests.support.person import Person
from tests.support.running import Stage
from tests.support.steps import agrees, applies, chooses, pays, verifies


class Look:
    """Looks at one page after the other, each under its name."""

    def __init__(self, language: str) -> None:
        self.language, self.seen = language[:2], set[str]()

    def __call__(self, person: Person, name: str) -> None:
        self.seen.add(name)
        person.window.looked_at(f"{self.language}-{name}")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_twelve_pages_at_390_pixels(stage: Stage, language: str) -> None:
    team, look = stage.team(language), Look(language)
    alice, otto = team.person(), team.person("otto")
    domain = f"narrow-{language[:2].lower()}.com"
    alice.open("/certificates/buy")
    look(alice, "buy")
    alice.open("/prices/compare")
    look(alice, "compare")
    chooses(alice, "OV", "Multiple domains", "DigiCert", domains=4, wildcards=1)
    look(alice, "confirm")
    pays(alice)
    look(alice, "receipt")
    alice.click("Apply for certificate")
    alice.type("Domain name", "例子.com")
    agrees(alice)
    alice.click("Submit")
    look(alice, "apply-refused")
    alice.page.go_back()
    alice.page.go_back()
    certificate = applies(
        alice,
        f"a-long-name-of-a-service.{domain}",
        f"*.{domain}\nsecond-{domain}",
        company="Narrow Pages Ltd",
    )
    verifies(alice)
    alice.sees("NXDOMAIN")
    look(alice, "verify")
    alice.main.locator("details").last.locator("summary").click()
    for block in alice.main.locator("details.cd-proof").all():
        name, value = (block.locator(".cd-value").nth(place).text_content() or "" for place in (0, 1))
        stage.dns.set(name, "TXT", [value.strip('"')])
    verifies(alice)
    alice.state_is("Pending organization verification")
    look(alice, "certificate-waiting")
    otto.open("/organization-verifications")
    otto.main.locator("tbody a").first.click()
    look(otto, "organization-check")
    for box in otto.main.get_by_role("checkbox").all():
        box.check()
    otto.click("Approve")
    otto.page.get_by_role("status").first.wait_for()
    alice.open(certificate)
    alice.state_is("Issued")
    look(alice, "certificate-issued")
    alice.click("Download")
    look(alice, "download")
    chooses(alice, "DV")
    alice.menu("Orders")
    look(alice, "orders")
    alice.menu("Certificates")
    look(alice, "certificates")
    alice.open("/domains/preflight")
    alice.type("Domain names", f"*.co.uk\n{domain}\nbad_name.{domain}")
    alice.click("Run the pre-flight")
    look(alice, "preflight")
    alice.open("/balance")
    look(alice, "balance")
    assert len(look.seen) >= 12
