"""An authenticator app for tests: the codes of a secret, each of a step of its own."""

import base64
import re

from django.test import Client

from certdesk.foundation.common import clock
from certdesk.foundation.iam import factor_rules as rules


class App:
    """Shows codes as a phone would. `fresh` gives the code of the step after the last one given, which the
    drift allows; before a third one in a row, `wait` moves what the service remembers into the past."""

    def __init__(self, secret_text: str) -> None:
        self.secret = base64.b32decode(secret_text + "=" * (-len(secret_text) % 8))

    def code(self, steps: int = 0) -> str:
        return rules.code_at(self.secret, rules.step_of(clock.real_now()) + steps)

    def fresh(self) -> str:
        """A code that counts, whatever was used before."""
        from certdesk.foundation.iam.models import Totp

        Totp.objects.update(last_step=0)
        return self.code()


def enrol(browser: Client) -> tuple[App, list[str]]:
    """Enrols an app in a browser in which somebody has just signed in; the app, and the recovery codes."""
    begun = browser.post("/account/security/app").content.decode()
    found = re.search(r"data-secret>([A-Z2-7]{32})", begun)
    assert found, begun[:2000]
    app = App(found[1])
    done = browser.post("/account/security/app/confirm", {"code": app.code()})
    assert done.status_code == 200, done.content.decode()[:2000]
    return app, re.findall(r'class="cd-mono">([a-z0-9-]{19})<', done.content.decode())
