"""Applying, withdrawing, reapplying, and issuing at once (API §1 #12, #13, §10)."""

import orjson

from certdesk.foundation.common import clock
from certdesk.foundation.iam import requests as signed_requests
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.applications.form import ApplicationForm
from certdesk.lifecycle.issuance import actions
from certdesk.lifecycle.issuance.actions import IssueRequest, IssueResult

from .registry import MAX_BATCH_BODY, Reply, operation
from .schemas import Apply, Issue, IssueBatch
from .shapes import Shape

C = "/v3/scm/certificates/{certificate_id}"
APPLY, SUBSCRIBE, PAY = "scm:cert:apply", "scm:cert:subscribe", "bss:order:pay"


@operation("certificates.apply", "POST", f"{C}/apply", APPLY, request=Apply)
def apply(principal: Principal, certificate_id: str, body: Apply) -> Shape:
    """Submits the application of a certificate in Pending application (APP-1)."""
    actions.apply(principal, certificate_id, ApplicationForm(**body.model_dump()), clock.now())
    return {"request_info": "success"}


@operation("certificates.cancel", "POST", f"{C}/cancel-cert", "scm:cert:cancel")
def cancel(principal: Principal, certificate_id: str) -> Shape:
    """Withdraws an application under way (WDR-1)."""
    actions.withdraw(principal, certificate_id, clock.now())
    return {"cert_id": certificate_id, "message": "success"}


@operation("certificates.reopen", "POST", f"{C}/reopen", APPLY)
def reopen(principal: Principal, certificate_id: str) -> Shape:
    """*Modify and reapply* after a refusal (REO-1)."""
    return {"status": actions.reopen(principal, certificate_id, clock.now()).value}


@operation(
    "certificates.issue",
    "POST",
    "/v3/scm/certificates/issue",
    SUBSCRIBE,
    also=(APPLY, PAY),
    request=Issue,
    idempotent=True,
)
def issue(principal: Principal, body: Issue) -> Shape | Reply:
    """Buys, pays, applies and issues in one request, where every name is proved already; else 202."""
    result = actions.issue_now(
        principal,
        _request(body),
        clock.now(),
        on_bought=lambda stands: _note(_issued(stands[0])),
    )
    return _issued(result) if result.issued else Reply(202, _issued(result))


@operation(
    "certificates.batch_issue",
    "POST",
    "/v3/scm/certificates/batch-issue",
    SUBSCRIBE,
    also=(APPLY, PAY),
    request=IssueBatch,
    idempotent=True,
    max_body=MAX_BATCH_BODY,
)
def batch_issue(principal: Principal, body: IssueBatch) -> Shape | Reply:
    """As issue, for up to 100; one that is refused refuses them all before anything is bought."""
    results = actions.issue_batch(
        principal,
        [_request(item) for item in body.items],
        clock.now(),
        on_bought=lambda stands: _note({"items": [_issued(one) for one in stands]}),
    )
    answer = {"items": [_issued(result) for result in results]}
    return answer if all(result.issued for result in results) else Reply(202, answer)


def _note(answer: Shape) -> None:
    """What a repeat gets if this process ends before the signature; the certificate is issued anyway."""
    signed_requests.note(202, orjson.dumps(answer).decode())


def _request(body: Issue) -> IssueRequest:
    given = body.model_dump()
    bought = {
        name: given.pop(name)
        for name in ("cert_brand", "cert_type", "effective_time", "enterprise_project_id", "free")
    }
    return IssueRequest(form=ApplicationForm(**given), **bought)


def _issued(result: IssueResult) -> Shape:
    answer: Shape = {
        "cert_id": result.certificate_id,
        "status": result.status,
        "order_id": result.order_id,
    }
    if result.issued:
        answer |= {
            "serial": result.serial,
            "certificate": result.certificate,
            "certificate_chain": result.certificate_chain,
        }
    elif result.reason:
        answer["unpaid_reason"] = say(result.reason)
    return answer
