"""`./certdesk lab NAME`: the lab servers by themselves, on loopback, until Ctrl-C."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from certdesk.foundation.common.errors import NotAvailable


class Lab(StrEnum):
    DNS = "dns"
    SMTP = "smtp"
    CA = "ca"
    WAF = "waf"
    ELB = "elb"
    WEB = "web"


def lab(
    name: Lab,
    port: Annotated[int, typer.Option(help="Loopback port; 0 = any.", min=0, max=65535)],
    records: Annotated[
        Path | None, typer.Option(help="dns: records file, one `owner type value` a line, re-read on change.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="smtp: receives one .eml file a message; elb, waf: certificates, kept beyond the end; "
            "web: what is served."
        ),
    ] = None,
) -> None:
    """Run a lab server for trying things out: DNS, mail sink, load balancer, firewall (WAF) or web."""
    if name is Lab.DNS:
        from certdesk.lab.dns_server import run_dns

        run_dns(port, None, records)
    elif name is Lab.SMTP:
        from certdesk.lab.smtp_server import run_smtp

        run_smtp(port, folder)
    elif name is Lab.ELB:
        from certdesk.lab.elb import run_elb

        run_elb(port, folder)
    elif name is Lab.WAF:
        from certdesk.lab.waf import run_waf

        run_waf(port, folder)
    elif name is Lab.WEB:
        from certdesk.lab.website import run_website

        run_website(port, folder)
    else:
        raise NotAvailable(
            f"The lab {name.value!r} comes with a later release.", next_step="Use dns, smtp, elb, waf or web."
        )
