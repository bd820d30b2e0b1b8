"""When two users are one person, or one of them has the other in hand (ORG-5, two-person rule). Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, by everything that tells two people apart.

    Attributes:
        agency: the assumed role, if any (IAM-8).
        marks: what only one person has, e.g. `email:ada@example.com`; two users who share one are one person.
        made_by: users who made this one, or gave it its groups, its password or a key: they can be it.
    """

    user_id: str
    access_key: str = ""
    agency: str = ""
    marks: frozenset[str] = frozenset()
    made_by: frozenset[str] = frozenset()


def email_mark(address: str) -> str:
    """The same for every spelling that reaches one mailbox: case and `+tag` aside; empty for no address."""
    local, at, domain = address.strip().casefold().rpartition("@")
    return f"email:{local.partition('+')[0]}@{domain}" if at else ""


def phone_mark(number: str) -> str:
    """By its digits; empty for what is too short to be anybody's."""
    digits = "".join(one for one in number if one.isdecimal())
    return f"phone:{digits}" if len(digits) >= 7 else ""


def name_mark(name: str) -> str:
    """`alice` and `Alice` of one account are one person."""
    return f"name:{name.strip().casefold()}" if name.strip() else ""


def same(one: Person, other: Person) -> bool:
    """The very same user, key or agency."""
    return (
        one.user_id == other.user_id
        or bool(one.access_key and one.access_key == other.access_key)
        or bool(one.agency and one.agency == other.agency)
    )


def could_be(one: Person, other: Person) -> bool:
    """Two users of one person, or a user whom the other has in hand."""
    return bool(one.marks & other.marks) or one.user_id in other.made_by or other.user_id in one.made_by
