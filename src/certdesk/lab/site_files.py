"""What a lab web server starts with: a page, and for every site a self-signed certificate with its key."""

from collections.abc import Sequence
from pathlib import Path

from certdesk.lab.elb_site import self_signed

TLS, PAGES, PUSHED = "tls", "pages", "pushed"
_MARK = "-----BEGIN PRIVATE KEY-----"


def furnish(folder: Path, sites: Sequence[Sequence[str]]) -> None:
    """`tls/site1.crt` and `.key` a site, `pages/index.html`; kept if there."""
    for name in (TLS, PAGES, PUSHED):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, names in enumerate(sites, 1):
        certificate = folder / TLS / f"site{number}.crt"
        if not certificate.exists():
            head, mark, key = self_signed(names).partition(_MARK)
            _private(certificate.with_suffix(".key"), f"{mark}{key}")
            certificate.write_text(head, encoding="ascii")
    (folder / PAGES / "index.html").write_text("hello\n", encoding="ascii")


def _private(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text, encoding="ascii")
