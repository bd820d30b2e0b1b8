"""`./certdesk perspective`: a remote place to look from, and `./certdesk mail-listener`: replies to mails."""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import start

if TYPE_CHECKING:
    from certdesk.foundation.common.settings import Settings


def perspective(
    key_file: Annotated[Path, typer.Option(help="Secret shared with the desk, mode 0600.")],
    listen: Annotated[str, typer.Option(help="host:port.")] = "127.0.0.1:8790",
    resolver: Annotated[
        str, typer.Option(help="Recursive DNS server, IP[:port]; default: the system's first.")
    ] = "",
    ports: Annotated[str, typer.Option(help="Ports of the file method.")] = "80,443",
    allow: Annotated[
        list[str] | None, typer.Option(help="CIDR that may be reached beside public addresses.")
    ] = None,
) -> None:
    """Look at records and files from this machine for a desk elsewhere (CERTDESK_PERSPECTIVES there).

    The agent is one file of the standard library: `certdesk/agents/perspective.py` can be copied alone.
    """
    from certdesk.agents import perspective as agent

    more = [part for network in allow or [] for part in ("--allow", network)]
    given = ["--key-file", str(key_file), "--listen", listen, "--ports", ports, "--resolver", resolver]
    agent.run([*given, *more])


def agent(arguments: Annotated[list[str] | None, typer.Argument(help="As of `host.py`.")] = None) -> None:
    """Fetch this host's certificates from a desk elsewhere: enrol, run, rekey, prepare; --help tells more.

    The agent is one file of the standard library: `certdesk/agents/host.py` can be copied alone.
    """
    from certdesk.agents import host

    raise typer.Exit(host.main(arguments or ["--help"]))


def mail_listener() -> None:
    """Take replies to confirmation mails by SMTP on CERTDESK_MAIL_LISTENER; `up` runs it by itself."""
    settings = start.django()
    refuse_for_public(settings)
    if not settings.mail_listener:
        typer.echo("certdesk: CERTDESK_MAIL_LISTENER is empty: replies are not taken.", err=True)
        raise typer.Exit(2)
    listen_for_mail(settings)


def refuse_for_public(settings: "Settings") -> None:
    """Ends with a plain sentence when replies would prove names of certificates that the public trusts."""
    if not settings.mail_listener:
        return
    from certdesk.interfaces.public import replies

    found = replies.public_products()
    if found:
        typer.echo(
            "certdesk: CERTDESK_MAIL_LISTENER is refused: the catalogue sells publicly trusted certificates "
            f"({found[0]} and {len(found) - 1} more); for those only the link of the mail confirms.",
            err=True,
        )
        raise typer.Exit(2)


def listen_for_mail(settings: "Settings") -> None:
    """Serves until the process is told to stop."""
    from certdesk.interfaces.public import replies

    host, _, port = settings.mail_listener.rpartition(":")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(replies.serve(host.strip("[]"), int(port)))
