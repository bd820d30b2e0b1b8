"""Prints every sealed value of an installation in plain, one hex line each: what must be found nowhere.

Started on the installation's own environment by `test_canaries`, which holds the KEK as its operator does.
"""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certdesk.config.django")
    import django

    django.setup()
    from certdesk.foundation.sealing.actions import unseal
    from certdesk.foundation.sealing.models import Secret

    for secret in Secret.objects.all():
        plain = unseal(secret.id, secret.tenant, secret.purpose)
        sys.stdout.write(f"{secret.purpose} {plain.hex()}\n")


main()
