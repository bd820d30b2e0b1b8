"""What the pages of approvals show of a request, and what a certificate's page says about those that wait."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from certdesk.foundation.approvals import queries, registry
from certdesk.foundation.approvals.models import Decision, Request, State
from certdesk.foundation.iam.principal import Principal
from certdesk.interfaces.words.say import say
from certdesk.lifecycle.certificates.models import Certificate

from ..templatetags.certdesk_ui import exact_text, moment

TONES = {
    State.PENDING: "wait",
    State.APPROVED: "wait",
    State.READY: "you",
    State.DONE: "good",
    State.REJECTED: "bad",
    State.FAILED: "bad",
}


def label(state: str) -> str:
    return {
        State.PENDING: _("Waiting for approval"),
        State.APPROVED: _("Approved, being done"),
        State.READY: _("Approved, to be fetched"),
        State.REJECTED: _("Rejected"),
        State.CANCELLED: _("Taken back"),
        State.VOID: _("Void"),
        State.EXPIRED: _("Time is over"),
        State.DONE: _("Done"),
        State.FAILED: _("Could not be done"),
    }[State(state)]


def title_of(kind: str) -> str:
    return say(registry.kinds.get(kind, "")) or _("Request for approval")


def heading(kind: str) -> str:
    """Of a request's page, where the words of the list of rules are too long or speak of themselves."""
    own = {"approval_rules": _("Rules for approvals"), "policy_change": _("Policies and groups")}
    return own.get(kind, title_of(kind))


def rule_lines(items: Any) -> list[dict[str, Any]]:
    return [
        {"title": title_of(one["operation"]), "approvals": one["approvals"], "hours": one["hours"]}
        for one in items or []
        if one.get("required", True)
    ]


def next_(found: Request, reason: str, mine: bool, decisions: list[Decision]) -> dict[str, str]:
    """One sentence on what happens next, and who must act."""
    left = found.needed - sum(one.approved for one in decisions)
    until = {"until": exact_text(found.fetch_until or found.expires_at)}
    if found.state == State.PENDING and not reason:
        text = _("Read what will happen, then approve or reject. It can be decided until %(until)s.") % until
        return {"title": _("What happens next: you decide."), "text": text, "who": _("You")}
    if found.state == State.PENDING:
        title = ngettext(
            "What happens next: %(count)d other person decides.",
            "What happens next: %(count)d other people decide.",
            left,
        ) % {"count": left}
        text = _("Nothing is done before that. After %(until)s it is not done at all.") % until
        why = "" if mine else say(reason)
        return {"title": title, "text": f"{text} {why}".strip(), "who": _("A person who may decide")}
    if found.state == State.APPROVED:
        return {"title": _("What happens next: it is being done."), "text": "", "who": ""}
    if found.state == State.READY and mine:
        text = _("It can be fetched once, until %(until)s.") % until
        return {"title": _("What happens next: you fetch it."), "text": text, "who": _("You")}
    if found.state == State.READY:
        return {"title": _("What happens next: the person who asked fetches it."), "text": "", "who": ""}
    return {
        "title": _("It is over: %(state)s") % {"state": label(found.state)},
        "text": _ended(found),
        "who": "",
    }


def _ended(found: Request) -> str:
    return found.reason if found.state == State.REJECTED else say(found.outcome)


def facts(principal: Principal, found: Request, decisions: list[Decision]) -> list[dict[str, Any]]:
    counts = {"given": sum(one.approved for one in decisions), "needed": found.needed}
    return [
        {"label": _("Asked by"), "value": found.requester_name},
        {"label": _("Asked for"), "value": moment(found.created_at)},
        {"label": _("Can be decided until"), "value": moment(found.expires_at)},
        {"label": _("Approvals"), "value": _("%(given)d of %(needed)d") % counts},
        {"label": _("Ended"), "value": moment(found.ended_at) if found.ended_at else ""},
        *_about(principal, found),
    ]


def _about(principal: Principal, found: Request) -> list[dict[str, Any]]:
    """A link to what it is about, for who may see that."""
    if found.target_type != "cert" or not principal.may("scm:cert:get"):
        return []
    one = Certificate.objects.filter(id=found.target_id, account_id=principal.account_id)
    if not one.exclude(state="DELETED").exists():
        return []
    url = reverse("certificate", args=[found.target_id])
    return [{"label": _("Certificate"), "value": found.target_id, "url": url, "mono": True}]


def fetch(found: Request) -> dict[str, str]:
    """How the person who asked gets what was approved; by the API it sends the same request again."""
    if found.operation == "certificates.download":
        query = {name: value for name, value in found.payload["query"].items() if value}
        url = f"{reverse('download', args=[found.target_id])}?{urlencode(query)}"
        return {"url": url, "method": "get"}
    if found.operation == "csrs.private_key":
        return {"url": reverse("csr-private-key", args=[found.target_id]), "method": "post"}
    return {"url": "", "method": ""}


def banners(principal: Principal, certificate: Certificate) -> list[dict[str, str]]:
    """What waits about a certificate, for its page."""
    found = list(queries.about(certificate.account_id, "cert", certificate.id)[:5])
    if not found:
        return []
    seen = set(
        queries.visible(principal).filter(id__in=[one.id for one in found]).values_list("id", flat=True)
    )
    return [
        {"text": _banner(one), "url": reverse("approval", args=[one.id]) if one.id in seen else ""}
        for one in found
    ]


def _banner(one: Request) -> str:
    until = {"until": exact_text(one.fetch_until or one.expires_at)}
    if one.state == State.READY:
        return _("Its private key may be fetched once by %(person)s until %(until)s.") % {
            **until,
            "person": one.requester_name,
        }
    waiting = {
        "delete": _("Deletion waits for a second person until %(until)s."),
        "revoke": _("Revocation waits for a second person until %(until)s."),
        "key_export": _("Handing out the private key waits for a second person until %(until)s."),
        "organization_decision": _("The organization's approval waits for a second person until %(until)s."),
    }
    return waiting.get(one.kind, _("A request waits for a second person until %(until)s.")) % until
