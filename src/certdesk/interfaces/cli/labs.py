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
        Path | None, typer.Option(help="smtp: folder that receives one .eml file a message.")
    ] = None,
) -> None:
    """Run a lab server: an authoritative DNS server or a mail sink, for tests and for trying things out."""
    if name is Lab.DNS:
        from certdesk.lab.dns_server import run_dns

        run_dns(port, None, records)
    elif name is Lab.SMTP:
        from certdesk.lab.smtp_server import run_smtp

        run_smtp(port, folder)
    else:
        raise NotAvailable(
            f"The lab {name.value!r} comes with a later release.", next_step="Use dns or smtp."
        )
