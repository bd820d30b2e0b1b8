"""`./certdesk lab NAME`: the lab servers by themselves, on loopback, until Ctrl-C."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


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
            "web: what is served; ca: its keys."
        ),
    ] = None,
    resolver: Annotated[
        str, typer.Option(help="ca: ip:port of the DNS server that it asks; empty = this machine's.")
    ] = "",
    mail: Annotated[str, typer.Option(help="ca: host:port of its mail server; empty = no mails.")] = "",
    http_port: Annotated[
        int, typer.Option(help="ca: where it looks for proofs by file.", min=1, max=65535)
    ] = 80,
    vetting_days: Annotated[
        float, typer.Option(help="ca: how long it looks at an organization.", min=0.0, max=365.0)
    ] = 0.0,
) -> None:
    """Run a lab server for trying things out: DNS, mail, load balancer, firewall (WAF), web or a CA."""
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
        from certdesk.lab.ca.running import run_ca

        run_ca(port, folder, resolver, mail, http_port, vetting_days)
