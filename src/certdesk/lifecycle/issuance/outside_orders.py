"""Rows of orders at CAs outside: begun, heard of, given up. In the caller's transaction (law 3)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db.models import Q

from certdesk.connectors.issuers.protocol import IssuerError, Order, Reason, Wanted
from certdesk.foundation.common import clock
from certdesk.foundation.jobs import actions as jobs
from certdesk.lifecycle.applications import queries as application_queries
from certdesk.lifecycle.applications.models import Application, ApplicationState
from certdesk.lifecycle.applications.rules import Checked
from certdesk.lifecycle.catalogue.queries import catalogue
from certdesk.lifecycle.catalogue.rules import Product
from certdesk.lifecycle.certificates import queries as certificate_queries
from certdesk.lifecycle.certificates.models import Certificate, Version
from certdesk.lifecycle.validation import queries as validation
from certdesk.pki.authority import gate
from certdesk.pki.authority.types import CertificateRequest
from certdesk.pki.keystore import queries as keystore
from certdesk.pki.keystore import use
from certdesk.pki.x509.certificates import CertificateFacts
from certdesk.pki.x509.errors import NamesDoNotFit

from . import limits, outside, outside_tasks, renewing
from . import outside_rules as rules
from .acceptance import Expected
from .errors import IssuerRefused
from .limit_rules import Counting, digest_of
from .models import OutsideOrder, Placement, PlacementState
from .outside import Choice, Passed

ASK = "issuance.ask"
LATELY = timedelta(minutes=10)
"""So long an issuer that could not be asked is passed over for the same application."""
NAMES_DIFFER = (
    "The CSR that was uploaded has other names than the application, and %s takes them from the CSR alone. "
    "Apply again with a CSR for exactly these names, or let the service make the key: %s."
)


def live_of(application_id: int) -> OutsideOrder | None:
    """The order that may still bring the certificate of an application."""
    return OutsideOrder.objects.filter(application_id=application_id, live=True).first()


@dataclass(frozen=True, slots=True)
class Over:
    """What earlier orders of an application came to.

    Attributes:
        passed: issuers that refused it, or could not be asked a moment ago: slug -> one sentence.
        refused: those of them that refused it.
        last_refusal: the words of the one that refused it last; empty where none did.
    """

    passed: dict[str, str]
    refused: frozenset[str]
    last_refusal: str


def over(application_id: int) -> Over:
    """Read at once, the last one last."""
    lately = Q(asked_at__gt=clock.real_now() - LATELY)
    found = OutsideOrder.objects.filter(Q(refused=True) | lately, application_id=application_id, live=False)
    orders = list(found.order_by("asked_at"))
    refusals = [one for one in orders if one.refused]
    return Over(
        {one.issuer: why(one) for one in orders},
        frozenset(one.issuer for one in refusals),
        why(refusals[-1]) if refusals else "",
    )


def why(order: OutsideOrder) -> str:
    """Why an order brought nothing, in one sentence."""
    return order.refusal or order.problem or order.words or "It did not issue this order."


def choices_of(
    certificate: Certificate,
    application: Application,
    without: Mapping[str, str],
    order: Sequence[str] | None = None,
) -> tuple[Choice, ...]:
    """The issuers of its product, each with what speaks for or against it now.

    Args:
        order: of the product's issuers, where the caller has read it.
    """
    product = application_queries.product_of(certificate)
    order = outside.order_of(product) if order is None else order
    names = tuple(application.names.split(";"))
    ruled_out = outside.ruled_out(order, application.at_issuer, application.not_at_issuer)
    busy = _limited(certificate, names, order)
    return outside.choose(product, order, names, application.key_algorithm, ruled_out | dict(without), busy)


def _limited(certificate: Certificate, names: Sequence[str], slugs: Sequence[str]) -> dict[str, Passed]:
    """Those of the issuers whose published limits such an order would exceed now."""
    now = clock.real_now()
    counted = {slug: _counting(certificate, names, slug) for slug in slugs}
    found = {slug: limits.passed(slug, counts, now) for slug, counts in counted.items()}
    return {slug: why for slug, why in found.items() if why is not None}


def _counting(certificate: Certificate, names: Sequence[str], slug: str) -> Counting:
    """What an order there counts for; a CA may leave out those that name what they replace."""
    preset = limits.published(slug)
    if preset is None or (preset.frees_replacements and _names_replaced(certificate, slug)):
        return {}
    return limits.counting(preset, slug, names)


def _names_replaced(certificate: Certificate, slug: str) -> bool:
    """Whether an order there will name what it replaces: the CA advises, and its order for that is known.

    A CA that finds the name wrong is asked again without it. Nobody tells us so, and that one is not counted.
    """
    before = _before(certificate, slug)
    return before is not None and outside.advises(slug) and handle_of(before) != ""


def begin(
    certificate: Certificate,
    application: Application,
    request: CertificateRequest,
    choices: Sequence[Choice],
    slug: str,
) -> bool:
    """The intent, before the CA is asked; `request` holds the authorisation of every name (law 4).

    Nothing is begun, and False answered, where others took the last order of the week since the choice. It
    counts against the week's limit from now on: the next order must not overlook it.

    Raises:
        WeakKey, RequestRefused, NotAuthorized: as the built-in CA refuses them.
        IssuerRefused: the uploaded CSR has other names.
    """
    gate.refuse_unproved(request)
    gate.refuse_key(request, keystore.is_blocked)
    now = clock.real_now()
    names = application.names.split(";")
    if not outside.hold_for_order(slug, now):
        return False
    counted = _counting(certificate, names, slug)
    if limits.passed(slug, counted, now):
        return False
    placement = Placement.objects.create(
        reference=request.authorization.reference,
        certificate=certificate,
        application=application,
        issuer=slug,
        created_at=now,
    )
    order = OutsideOrder.objects.create(
        placement=placement,
        certificate=certificate,
        application=application,
        issuer=slug,
        csr=csr_of(application, slug),
        names_digest=digest_of(names),
        not_after=request.not_after,
        chosen=[[one.title, one.taken, one.reason] for one in choices],
        next_poll_at=now,
    )
    outside.note_placed(slug, now, outside.because(choices))
    limits.note(order, counted, now)
    enqueue(order)
    return True


def csr_of(application: Application, slug: str) -> bytes:
    """The request with exactly the ordered names, DER: signed by the key here, or the applicant's own."""
    names = application.names.split(";")
    if application.key_id:
        company = application.company if application.company.get("name") else {}
        pem = use.signed_request(application.key_id, application.account_id, names, company)
        return _der(pem)
    if not fits(application.csr, names):
        raise IssuerRefused(NAMES_DIFFER % (slug, ", ".join(names)[:300]))
    return _der(application.csr)


def check_csr(product: Product, checked: Checked) -> None:
    """The applicant's own CSR must name exactly what is ordered where a CA outside reads it.

    Raises:
        NamesDoNotFit: it has other names.
    """
    if checked.csr is None or checked.key_id or not outside.may_be_outside(product):
        return
    names = checked.names.texts
    if not fits(checked.csr.pem, names):
        raise NamesDoNotFit(
            "The CSR has other names than the application, and the CA of this product reads them there.",
            next_step=f"Make a CSR for exactly these names: {', '.join(names)[:300]}. "
            "Or let the service make the key and the CSR.",
            field="csr",
        )


def _der(pem: str) -> bytes:
    return x509.load_pem_x509_csr(pem.encode()).public_bytes(Encoding.DER)


def fits(csr: str, names: Sequence[str]) -> bool:
    """Whether a CSR's alternative names are exactly these."""
    try:
        found = x509.load_pem_x509_csr(csr.encode()).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (ValueError, x509.ExtensionNotFound):
        return False
    held = [str(one.value).lower() for one in found.value]
    return sorted(held) == sorted(names)


def is_recorded(order: OutsideOrder, facts: CertificateFacts) -> bool:
    """Whether a certificate was recorded before: a serial number stands for one certificate of a CA."""
    same = Version.objects.filter(spki_sha256=facts.spki_sha256.hex(), serial=facts.serial)
    return same.exists() or OutsideOrder.objects.filter(issuer=order.issuer, serial=facts.serial).exists()


def wanted_of(order: OutsideOrder, *, first: bool) -> Wanted:
    """What is ordered, from what was recorded; `first` as there."""
    certificate, application = order.certificate, order.application
    before = _before(certificate, order.issuer)
    return Wanted(
        reference=order.placement_id,
        csr=bytes(order.csr),
        names=tuple(application.names.split(";")),
        level=certificate.level,
        not_after=order.not_after,
        organization=dict(application.company) if certificate.level != "DV" else {},
        contact=_contact(application),
        replaces=bytes(before.der) if before else b"",
        predecessor=handle_of(before) if before else "",
        first=first,
    )


def _before(certificate: Certificate, slug: str) -> Version | None:
    """The version whose place the new one takes: its own, or that of the certificate it renews."""
    found = certificate_queries.current_version(certificate)
    if found is None:
        old = renewing.renewed(certificate)
        found = certificate_queries.current_version(old) if old is not None else None
    return found if found is not None and found.issuer.partition(":")[0] == slug else None


def handle_of(version: Version) -> str:
    """The CA's name of the order that brought a version; empty where it is not known."""
    slug = version.issuer.partition(":")[0]
    found = OutsideOrder.objects.filter(issuer=slug, serial=version.serial).values_list("handle", flat=True)
    return found.first() or ""


def _contact(application: Application) -> dict[str, str]:
    found = application_queries.contact(application.id)
    if found is None:
        return {}
    return {
        "name": found.contact_name or found.applicant_name,
        "email": found.contact_email or found.applicant_email,
        "phone": found.contact_phone or found.applicant_phone,
    }


def expected_of(order: OutsideOrder, now: datetime) -> Expected:
    """What the certificate must be."""
    application, level = order.application, order.certificate.level
    product = application_queries.product_of(order.certificate)
    company = application.company if level != "DV" else {}
    return Expected(
        names=tuple(application.names.split(";")),
        spki_sha256=hashlib.sha256(bytes(application.spki or b"")).digest(),
        level=level,
        longest_days=catalogue().max_validity_days(product.profile, now.date()),
        domains=validation.domains_proved(application.id),
        organization=company.get("name", ""),
        country=company.get("country", ""),
    )


def enqueue(order: OutsideOrder, seconds: float = 0.0) -> None:
    """The next call, not before so many seconds; one waits at most."""
    run_at = clock.real_now() + timedelta(seconds=seconds)
    OutsideOrder.objects.filter(placement_id=order.placement_id).update(next_poll_at=run_at)
    jobs.enqueue(
        ASK,
        {"reference": order.placement_id},
        subject=order.certificate_id,
        run_at=run_at,
        dedupe_key=f"{ASK}:{order.placement_id}",
    )


def resume(order: OutsideOrder) -> None:
    """The job was lost: the next call, not before the moment that it had."""
    due = order.next_poll_at or clock.real_now()
    enqueue(order, max(0.0, (due - clock.real_now()).total_seconds()))


def leave(application_id: int) -> bool:
    """Nobody wants the open order any more: it is taken back at the CA. True where there is one."""
    order = live_of(application_id)
    if order is None:
        return False
    OutsideOrder.objects.filter(placement_id=order.placement_id).update(leaving=True)
    enqueue(order)
    return True


def note_answer(order: OutsideOrder, answer: Order, marks: Mapping[str, str], now: datetime) -> None:
    """Keeps what the CA said.

    Args:
        marks: task id -> `ready` or `told`, what this call found out.
    """
    before = rules.kept(order.tasks)
    marked = outside_tasks.marked(before, marks)
    tasks = outside_tasks.assigned(order, rules.merged(marked, answer.tasks))
    words = answer.words[: rules.WORDS]
    news = (order.state, order.words, before) != (answer.state.value, words, tasks)
    order.handle, order.state, order.words = answer.handle[:1000], answer.state.value, words
    order.tasks = rules.rows_of(tasks)
    order.quiet = 0 if news else order.quiet + 1
    order.problem, order.next_step, order.failures, order.unreadable = "", "", 0, 0
    order.asking, order.lost, order.asked_at = False, False, now
    order.save(update_fields=_HEARD)
    known = {(one.id, one.value) for one in before}  # what was heard before was set up then
    outside_tasks.set_up(order, [one for one in tasks if (one.id, one.value) not in known])


_HEARD = (
    "handle",
    "state",
    "words",
    "tasks",
    "quiet",
    "problem",
    "next_step",
    "failures",
    "unreadable",
    "asking",
    "lost",
    "asked_at",
)


def note_failure(order: OutsideOrder, error: IssuerError, now: datetime, *, lost: bool) -> None:
    """Keeps why a call failed; `lost` = it was `place`, and may have been heard all the same."""
    order.problem, order.next_step = error.message[:1000], error.next_step[:500]
    order.failures += 1
    order.unreadable = order.unreadable + 1 if error.reason is Reason.BAD_ANSWER else 0
    order.asking, order.lost, order.asked_at = False, order.lost or lost, now
    order.save(update_fields=_FAILED)


_FAILED = ("problem", "next_step", "failures", "unreadable", "asking", "lost", "asked_at")


def end(
    order: OutsideOrder,
    state: PlacementState,
    now: datetime,
    *,
    unwanted: bytes | None = None,
    refused: bool = False,
) -> None:
    """The order can bring nothing any more; what stands for its tasks is taken away.

    Args:
        unwanted: DER that is still to be revoked at the CA.
        refused: it was this order that was refused, so the same CA is not asked again for the application.
    """
    issued = state is PlacementState.FULFILLED or unwanted is not None or order.unwanted is not None
    order.refused = order.refused or refused
    order.live, order.unfinished, order.unwanted = False, unwanted is not None, unwanted
    order.tasks, order.brought, order.csr, order.next_poll_at = [], None, b"", None
    order.save(update_fields=_ENDED)
    Placement.objects.filter(reference=order.placement_id, state=PlacementState.PLACED).update(
        state=state, failure=(order.problem or order.words)[:500], settled_at=now
    )
    outside_tasks.clear(order)
    if not issued:  # the CA counts what it issued, also what was not taken and is revoked there
        limits.give_back(order)
    if unwanted is not None:
        enqueue(order)


_ENDED = (
    "live",
    "unfinished",
    "unwanted",
    "refused",
    "tasks",
    "brought",
    "csr",
    "next_poll_at",
    "problem",
    "words",
    "state",
    "serial",
)


def is_wanted(order: OutsideOrder) -> bool:
    return bool(order.application.state == ApplicationState.OPEN)
