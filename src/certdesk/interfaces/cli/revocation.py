"""Revocation from the host (REV-6): no month before the end, no confirmation; the host's operator decides."""

from typing import Annotated

import typer

from . import start
from .output import Json, show


def revoke(
    certificate: Annotated[str, typer.Argument(help="Id of the certificate, e.g. scs1600313391074.")],
    reason: Annotated[
        str,
        typer.Option(
            help="KEY_COMPROMISE, AFFILIATION_CHANGED, SUPERSEDED, CESSATION_OF_OPERATION or UNSPECIFIED."
        ),
    ] = "UNSPECIFIED",
    note: Annotated[str, typer.Option(help="Why, in a sentence; kept with the record.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: Json = False,
) -> None:
    """Revoke a certificate at once: nobody trusts it any more, and nothing takes that back."""
    start.django()
    from certdesk.foundation.common import clock
    from certdesk.lifecycle.certificates.errors import NoCertificate
    from certdesk.lifecycle.certificates.models import Certificate
    from certdesk.lifecycle.issuance import revocation_rules, revoking

    code = revocation_rules.code_of(reason)
    words = revocation_rules.check_words(note)
    found = Certificate.objects.filter(id=certificate).exclude(state="DELETED").first()
    if found is None:
        raise NoCertificate(certificate)
    if not yes:
        typer.confirm(f"Revoke {found.id} for {found.domain}? This cannot be undone.", abort=True)
    state = revoking.revoke_now(found, code, words, clock.now(), who="host")
    show({"certificate": found.id, "domain": found.domain, "status": state.value}, as_json)
