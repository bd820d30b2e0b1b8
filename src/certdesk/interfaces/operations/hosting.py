"""Certificates from elsewhere (API §1 #3, §1.12)."""

from certdesk.foundation.common import clock
from certdesk.foundation.common.errors import BadParameter, CertdeskError
from certdesk.foundation.iam.principal import Principal
from certdesk.lifecycle.certificates import uploading, watching
from certdesk.lifecycle.certificates.uploading import UPLOAD, Given, Uploaded
from certdesk.lifecycle.certificates.watching import Outcome

from . import errors, shapes
from .registry import MAX_BATCH_BODY, operation
from .schemas import Import, ImportBatch, ImportV2, WatchList
from .shapes import Shape
from .v2_buying import V2, check_project


@operation("certificates.import", "POST", "/v3/scm/certificates/import", UPLOAD, request=Import)
def import_certificate(principal: Principal, body: Import) -> Shape:
    """Hosts a certificate from elsewhere with its chain and key (UPL-1..8); `findings` is ours."""
    if _has_second_pair(body):
        raise _second_pair()
    return _imported(uploading.upload(principal, _given(body), clock.now()))


@operation(
    "certificates.batch_import",
    "POST",
    "/v3/scm/certificates/batch-import",
    UPLOAD,
    request=ImportBatch,
    max_body=MAX_BATCH_BODY,
)
def batch_import(principal: Principal, body: ImportBatch) -> Shape:
    """As import, for up to 100, each by itself: one that is refused hinders no other, and says why."""
    given = [_given(one) for one in body.items if not _has_second_pair(one)]
    outcomes = iter(uploading.upload_many(principal, given, clock.now()))
    items = [_item(one, _second_pair() if _has_second_pair(one) else next(outcomes)) for one in body.items]
    hosted = sum("certificate_id" in one for one in items)
    return {"items": items, "hosted": hosted, "refused": len(items) - hosted}


@operation(
    "certificates.batch_watch",
    "POST",
    "/v3/scm/certificates/batch-watch",
    UPLOAD,
    request=WatchList,
    max_body=MAX_BATCH_BODY,
)
def batch_watch(principal: Principal, body: WatchList) -> Shape:
    """Takes in a list of certificates without their keys, up to 2,000: they are shown, and told about before
    they end. What is there already stays as it is."""
    taken = watching.watch_list(principal, body.certificates, body.enterprise_project_id, clock.now())
    there = sum(one.there for one in taken.outcomes)
    refused = sum(one.refused is not None for one in taken.outcomes)
    return {
        "items": [_watched(one) for one in taken.outcomes],
        "watched": len(taken.outcomes) - there - refused,
        "there": there,
        "refused": refused,
        "authorities": taken.authorities,
    }


def _watched(one: Outcome) -> Shape:
    known = {"place": one.place, "name": one.name, "there": one.there}
    if one.refused is not None:
        return {**known, **errors.refusal(one.refused, about_certificate=False).body}
    return {**known, "certificate_id": one.certificate_id}


def _second_pair() -> BadParameter:
    return BadParameter(
        "SM2 certificates with a second pair for encryption are not hosted.",
        next_step="Leave enc_certificate and enc_private_key out.",
        field="enc_certificate",
    )


def _has_second_pair(body: Import) -> bool:
    return bool(body.enc_certificate or body.enc_private_key)


def _given(body: Import) -> Given:
    return Given(
        name=body.name.strip(),
        certificate=body.certificate,
        private_key=body.private_key,
        chain=body.certificate_chain,
        duplicate_check=body.duplicate_check,
        enterprise_project_id=body.enterprise_project_id,
    )


def _imported(made: Uploaded) -> Shape:
    findings = [shapes.finding(one) for one in made.findings]
    return {"certificate_id": made.certificate_id, "findings": findings}


def _item(given: Import, outcome: Uploaded | CertdeskError) -> Shape:
    """What became of one, in the order of asking; a refusal in the words of a refused request."""
    if isinstance(outcome, Uploaded):
        return {"name": given.name.strip(), **_imported(outcome)}
    refusal = errors.refusal(outcome, about_certificate=False)
    return {"name": given.name.strip(), **refusal.body}


@operation("v2.upload", "POST", f"{V2}/cert/upload", UPLOAD, request=ImportV2)
def upload_v2(principal: Principal, project_id: str, body: ImportV2) -> Shape:
    """As the import, in the older API's words."""
    check_project(principal, project_id)
    given = Given(body.cert_name.strip(), body.cert, body.private_key, body.cert_chain)
    return {"cert_id": uploading.upload(principal, given, clock.now()).certificate_id}
