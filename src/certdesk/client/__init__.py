"""A thin, typed client of the API; stands alone: it imports nothing of the server but the signature.

with Certdesk("https://certdesk.example.com", access_key, secret_key) as desk:
    for row in desk.certificates.iter_search(status="ISSUED"):
        print(row["id"], row["domain"])
"""

from .api import Certdesk
from .errors import ClientError, Refused, Unreachable, Waiting
from .transport import Download

__all__ = ["Certdesk", "ClientError", "Download", "Refused", "Unreachable", "Waiting"]
