"""Password hashing for Django: argon2id, 19 MiB, 2 passes, 1 lane (OWASP's first choice; 22 ms a log-in)."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    """Django's hasher with our cost; older hashes are renewed at the next log-in."""

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1
