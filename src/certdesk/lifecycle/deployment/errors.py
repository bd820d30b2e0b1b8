"""Refusals of the room."""

from certdesk.foundation.common.errors import BadParameter, CertdeskError, Kind, NotFound, WrongState


class NotDeployable(WrongState):
    """DEP-1, PSH-1: the certificate's state or its missing key."""


class NoTarget(NotFound):
    """Missing, or of another account: one text for both."""

    def __init__(self) -> None:
        super().__init__("There is no such target.", next_step="Look for it in the list of targets.")


class NoBinding(NotFound):
    def __init__(self) -> None:
        super().__init__(
            "There is no such binding.", next_step="Look for it in the list of bindings, or discover again."
        )


class NoDeployment(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such deployment.", next_step="Look for it in the list of deployments.")


class PushRefused(BadParameter):
    """A push that did not happen; the contract has two codes for it."""

    def __init__(self, message: str, next_step: str = "", *, code: str = "SCM.0028") -> None:
        super().__init__(message, next_step=next_step, code=code)


class StillServed(CertdeskError):
    """DEL-4: bindings still serve the certificate."""

    kind = Kind.WRONG_STATE

    def __init__(self, where: tuple[str, ...]) -> None:
        more = f" and {len(where) - 5} more" if len(where) > 5 else ""
        super().__init__(
            f"The certificate is still served: {', '.join(where[:5])}{more}.",
            next_step="Deploy another one there first, or force the deletion.",
            details={"bindings": ", ".join(where)},
        )
        self.where = where
