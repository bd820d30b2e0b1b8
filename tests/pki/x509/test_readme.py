"""The installation notes name the files that are there."""

import pytest

from certdesk.pki.x509 import readme


@pytest.mark.parametrize("server", ["nginx", "apache", "tomcat", "iis", "other"])
@pytest.mark.parametrize("has_key", [True, False])
def test_notes_are_plain_short_text(server: str, has_key: bool) -> None:
    text = readme.text(server, has_key=has_key)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 110
    assert ("NOT in this download" in text) is not has_key


@pytest.mark.parametrize(("server", "store"), [("tomcat", "server.p12"), ("iis", "server.pfx")])
def test_without_a_key_the_note_shows_how_to_make_the_store(server: str, store: str) -> None:
    assert f"-out {store}" in readme.text(server, has_key=False)
