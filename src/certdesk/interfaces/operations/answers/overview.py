"""What the overview answers."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from ..schemas import Weekday
from .certificates import CertificateId, Status
from .common import Moment

Path = Annotated[str, Field(examples=["/certificates?tab=you"])]
"""The console's page that lists what a figure counts."""


class Need(TypedDict):
    """A certificate that waits for the applicant."""

    id: CertificateId
    name: str
    domain: str
    status: Status
    not_after: Moment
    next_step: str


class Figure(TypedDict):
    """`count` is exact while `more` is false; else it means "this many or more"."""

    name: str
    count: int
    more: bool
    path: Path


class StateFigure(TypedDict):
    status: Status
    count: int
    more: bool
    path: Path


class Ending(TypedDict):
    """Certificates in force that end in this span; `before` is empty for all the rest."""

    starts: Moment
    before: Moment
    count: int
    more: bool
    path: Path


class CaHealth(TypedDict):
    """Since when the first certificate waits for the CA, and whether that is longer than it should be."""

    waiting_since: Moment
    late: bool


class OverviewAnswer(TypedDict):
    at: Moment
    needs: list[Need]
    figures: list[Figure]
    states: list[StateFigure]
    ending: list[Ending]
    ca: CaHealth


class WeeklyMailAnswer(TypedDict):
    """`next_at` is empty while it is off; `subject` and `text` as it would be written now."""

    enabled: bool
    weekday: Weekday
    time_zone: str
    address: str
    next_at: Moment
    subject: str
    text: str


ANSWERS: dict[str, object] = {
    "overview.show": OverviewAnswer,
    "overview.show_mail": WeeklyMailAnswer,
    "overview.set_mail": WeeklyMailAnswer,
}
