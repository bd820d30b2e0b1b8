"""`./certdesk lab waf`: nginx with ModSecurity and the OWASP core rules in front of a demo page."""

import http.client
import json
import ssl
import sys
import tempfile
from pathlib import Path

from certdesk.foundation.common.errors import NotAvailable
from certdesk.lab.background import wait_for_stop
from certdesk.lab.nginx import LabNginx, firewall_missing

ATTACK = "/?id=1%27%20OR%201=1--%20-"
"""SQL injection, which the core rules turn away with 403."""
HARMLESS = "/?id=1"
PLAIN = ("plain.example.test",)
PACKAGES = "nginx libnginx-mod-http-modsecurity modsecurity-crs"


def answer(port: int, path: str, name: str) -> int:
    """The status that a client is given; 0 when it is given none."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # what is asked for is the firewall
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        connection.request("GET", path, headers={"Host": name, "User-Agent": "certdesk-lab", "Accept": "*/*"})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def run_waf(port: int, folder: Path | None) -> None:
    """Until Ctrl-C.

    Raises:
        NotAvailable: the programs are not installed.
    """
    missing = firewall_missing()
    if missing:
        raise NotAvailable(
            f"The lab's firewall needs {missing}, which is not installed.",
            next_step=f"apt-get install --no-install-recommends {PACKAGES}",
        )
    with tempfile.TemporaryDirectory(prefix="certdesk-waf-") as scratch:
        place = folder.resolve() if folder else Path(scratch)
        with LabNginx(place, port=port, plain=PLAIN, firewall=True) as waf:
            wait_for_stop(lambda: _announce(waf))


def _announce(waf: LabNginx) -> None:
    sys.stdout.write(f"{told(waf)}\n")
    sys.stdout.flush()


def told(waf: LabNginx) -> str:
    """Where it is, that it works, and how it is connected."""
    name = waf.sites[0][0]
    names = ", ".join(one for site in waf.sites for one in site)
    options = json.dumps(waf.options)
    return (
        f"lab waf: nginx with ModSecurity and the OWASP core rules on {waf.server}, serving {names}; "
        f"{', '.join(waf.plain)} is there without HTTPS\n"
        f"a harmless request is answered {answer(waf.port, HARMLESS, name)}, "
        f"an attack {answer(waf.port, ATTACK, name)}: curl -k 'https://{waf.server}{ATTACK}'\n"
        f"connect it as a target of the kind nginx, service WAF, with these options: {options}\n"
        f"start the product with CERTDESK_TARGET_FOLDERS={waf.folder} CERTDESK_ALLOW_NETWORKS=127.0.0.0/8"
    )
