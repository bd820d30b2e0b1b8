"""Postfix: the file of `smtpd_tls_chain_files` (key first, from 3.4 on), or those of the older parameters."""

from typing import ClassVar

import pydantic

from certdesk.connectors.targets.pem.target import Pem, PemOptions
from certdesk.connectors.targets.placed import COMMAND, LINES, Command, Listeners, PathText


class PostfixOptions(PemOptions):
    """As any PEM files, with Postfix's words."""

    label: ClassVar[str] = "Postfix"

    path: PathText = pydantic.Field(
        title="Certificate file",
        description="The file of smtpd_tls_chain_files, or of smtpd_tls_cert_file.",
        examples=["/etc/postfix/tls/chain.pem"],
    )
    listeners: Listeners = pydantic.Field(
        title="Listeners",
        description="smtp://host:port for ports that begin in plain (25, 587), host:port for 465; each is "
        "looked at after a deployment.",
        examples=["smtp://10.0.0.5:25"],
    )
    reload: Command = pydantic.Field(
        ("/usr/sbin/postfix", "reload"),
        title="Command that reloads the server",
        json_schema_extra=LINES,
        description=COMMAND.strip(),
    )


class Postfix(Pem):
    """Its smtpd processes read the certificate as they start: `postfix reload` ends the old ones."""
