"""A password hasher for tests: hundreds of offices hash seven passwords each."""

from certdesk.foundation.iam.passwords import Argon2


class Quick(Argon2):
    """The product's hasher without its cost; servers that a test starts have the real one."""

    time_cost = 1
    memory_cost = 8  # KiB, the least there is
