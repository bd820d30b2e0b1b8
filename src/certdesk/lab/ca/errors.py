"""How the simulated CA says no: a status and CertCentral's `{"errors": [{"code", "message"}]}`."""


class Refused(Exception):
    """An answer of 400 and above."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    @property
    def body(self) -> dict[str, object]:
        return {"errors": [{"code": self.code, "message": self.message}]}


def invalid(field: str, message: str) -> Refused:
    return Refused(400, f"invalid_{field}", message)


def not_found(what: str) -> Refused:
    return Refused(404, f"{what}_not_found", f"The specified {what} could not be found.")
