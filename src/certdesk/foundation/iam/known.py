"""The actions that the product asks for; each face tells its own when it is read (no upward import)."""

_known: set[str] = set()


def declare(*actions: str) -> None:
    """Says that some route or page asks for these actions."""
    _known.update(actions)


def actions() -> frozenset[str]:
    """Every action declared so far."""
    return frozenset(_known)
