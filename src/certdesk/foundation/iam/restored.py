"""What must not come back to life with a restored database: who was signed in, and links that work once."""

from django.contrib.sessions.models import Session

from .models import SignInLink, TemporaryKey, Token, UserSession


def end_all() -> dict[str, int]:
    """Ends sessions, mailed links, tokens and temporary keys, in the caller's transaction; how many of each.

    Some were ended, used or taken back after the backup was made, and it does not know which.
    """
    UserSession.objects.all().delete()
    return {
        "sessions": Session.objects.all().delete()[0],
        "links": SignInLink.objects.all().delete()[0],
        "tokens": Token.objects.all().delete()[0] + TemporaryKey.objects.all().delete()[0],
    }
