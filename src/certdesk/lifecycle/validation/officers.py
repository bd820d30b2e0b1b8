"""Who somebody is beside his user id, for the rule that the applicant never decides (ORG-5)."""

from certdesk.foundation.iam.person_rules import Person, email_mark
from certdesk.foundation.iam.persons import acting, person
from certdesk.lifecycle.applications.models import Application, Contact

from .models import OrganizationDecision, OrganizationVerification

__all__ = ["acting", "applicant", "decided", "showing"]


def applicant(application: Application) -> Person:
    """Who applied: the user, and the people whom the application names by address."""
    found = Contact.objects.filter(application=application).values_list("applicant_email", "contact_email")
    named = [email_mark(address) for pair in found for address in pair]
    return person(
        application.submitted_by, application.submitted_key, application.submitted_agency, extra=named
    )


def showing(verification: OrganizationVerification) -> list[Person]:
    """Who uploaded documents for the applicant: they stand on his side."""
    users = verification.documents.values_list("uploaded_by", "uploaded_key").distinct()
    return [person(user, key, "") for user, key in users if user]


def decided(decision: OrganizationDecision) -> Person:
    return person(decision.officer_id, decision.officer_key, decision.officer_agency)
