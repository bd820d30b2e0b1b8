"""`./certdesk lab ca`: the simulated CA by itself, until Ctrl-C."""

import json
import sys
from pathlib import Path

from certdesk.foundation.common.errors import BadParameter
from certdesk.lab.background import wait_for_stop
from certdesk.lab.ca.server import LabCa


def run_ca(port: int, folder: Path | None, resolver: str, mail: str, http_port: int, days: float) -> None:
    """Serves until SIGINT or SIGTERM; says on standard output where. `days`: it vets an organization so long.

    Raises:
        BadParameter: an address is none.
    """
    for option, given in (("resolver", resolver), ("mail", mail)):
        host, _, number = given.rpartition(":")
        if given and not (host and number.isdecimal() and int(number) < 65536):
            raise BadParameter(
                f"--{option} {given[:100]!r} is not of the form ip:port.",
                next_step=f"Give for example --{option} 127.0.0.1:5353.",
            )
    with LabCa(
        port=port,
        folder=folder.resolve() if folder else None,
        resolver=resolver,
        mail=mail,
        http_port=http_port,
        vetting_seconds=days * 86_400,
    ) as ca:
        wait_for_stop(lambda: _announce(told(ca)))


def told(ca: LabCa) -> str:
    """Where it is, and how it is connected."""
    street = {"organization_street": "Laboratory Street 1", "organization_zip": "00000"}
    options = json.dumps({"server_url": ca.url, "api_key": ca.key, "dcv_method": "dns-txt", **street})
    resolver, mail = ca.office.prover.resolver, ca.office.post.server
    return (
        f"lab ca: a simulated commercial CA (CertCentral's API) on {ca.url}; its certificates are worth "
        "nothing outside this laboratory\n"
        f"domain control is looked for with {resolver or 'the resolver of this machine'}; "
        f"{f'mails go to {mail}' if mail else 'no mails are sent (--mail)'}\n"
        f"connect it as an issuer of the kind certcentral with these options: {options}\n"
        f"root certificate {ca.url}/lab/root.pem, what happens {ca.url}/lab/state, faults: PUT "
        f"{ca.url}/lab/faults\n"
        "start the product with CERTDESK_ALLOW_NETWORKS=127.0.0.0/8"
    )


def _announce(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
