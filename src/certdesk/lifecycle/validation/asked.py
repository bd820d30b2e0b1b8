"""Records that a CA outside wants to see: who asked for them, and when they must go. Rows only."""

from collections.abc import Sequence

from certdesk.lifecycle.applications.models import Application

from . import automatic
from .models import AskedRecord

Record = tuple[str, str, str]
"""Name, type and value."""
PIECE = 100  # rows a statement


def ask(application: Application, reference: str, records: Sequence[Record]) -> None:
    """Has them written by automatic DNS where the application chose that, in the caller's transaction.

    Twice changes nothing. Where no zone is found the reason is among the automatic steps, and people may set
    them all the same.
    """
    if not records or not application.auto_dns:
        return
    there = set(AskedRecord.objects.filter(reference=reference).values_list("record_name", "value"))
    wanted = {(name, value): kind for name, kind, value in records if (name, value) not in there}
    made = AskedRecord.objects.bulk_create(
        [
            AskedRecord(
                account_id=application.account_id,
                certificate_id=application.certificate_id,
                application_id=application.id,
                reference=reference,
                record_name=name,
                record_type=record_type,
                value=value,
            )
            for (name, value), record_type in wanted.items()
        ],
        batch_size=PIECE,
    )
    if made:
        automatic.find(automatic.FIND_ASKED, application)


def release(reference: str) -> None:
    """The order is over: the sweeper takes away what was written for it."""
    AskedRecord.objects.filter(reference=reference, wanted=True).update(wanted=False)
