"""What requests about people carry. IAM v3 wraps each body in the name of its thing; both forms are taken."""

from typing import Any, ClassVar

from pydantic import Field, SecretStr, model_validator

from .schemas import Body, Line, PageQuery, Word

LONGEST_PASSWORD = 1024


class Wrapped(Body):
    """`{"user": {…}}` as in IAM v3, or the fields alone as in our own operations."""

    wrapper: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _unwrapped(cls, given: Any) -> Any:
        if isinstance(given, dict) and isinstance(given.get(cls.wrapper), dict):
            return given[cls.wrapper]
        return given


class NewUser(Wrapped):
    wrapper = "user"
    name: Word
    password: SecretStr | None = Field(default=None, max_length=LONGEST_PASSWORD)
    email: Line = ""
    phone: Line = ""
    description: Line = ""
    enabled: bool = True
    groups: list[Word] = Field(default=[], max_length=50)
    invite: bool = False


class UserChange(Wrapped):
    wrapper = "user"
    password: SecretStr | None = Field(default=None, max_length=LONGEST_PASSWORD)
    email: Line | None = None
    phone: Line | None = None
    description: Line | None = None
    enabled: bool | None = None


class HandOver(Body):
    to: Word


class UserQuery(PageQuery):
    name: Word = ""


class NewGroup(Wrapped):
    wrapper = "group"
    name: Word
    description: Line = ""


class GroupChange(Wrapped):
    wrapper = "group"
    name: Word | None = None
    description: Line | None = None


class Attachment(Body):
    enterprise_project_id: Word = ""


class NewPolicy(Wrapped):
    """IAM v3 calls the name `display_name`."""

    wrapper = "role"
    name: Word = ""
    display_name: Word = ""
    description: Line = ""
    policy: dict[str, Any]


class PolicyChange(Wrapped):
    wrapper = "role"
    name: Word | None = None
    display_name: Word | None = None
    description: Line | None = None
    policy: dict[str, Any] | None = None


class NewKey(Wrapped):
    wrapper = "credential"
    user_id: Word = ""
    description: Line = ""


class KeyChange(Wrapped):
    wrapper = "credential"
    status: Word | None = None
    enabled: bool | None = None
    description: Line | None = None


class KeyQuery(PageQuery):
    user_id: Word = ""


class Question(Body):
    """Context: `source`, `time` (UTC), `mfa`; of the thing `enterprise_project_id`, `owner`, `domain`,
    `type`, `tags`."""

    user: Word
    action: Word
    resource: Line = ""
    context: dict[str, Any] = {}
