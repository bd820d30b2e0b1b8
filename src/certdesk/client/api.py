"""The client itself: every chapter of the API as an attribute."""

from types import TracebackType
from typing import Self

from .generated.chapters import Chapters
from .transport import PATIENCE, TIMEOUT, Transport


class Certdesk(Chapters):
    """One installation and one access key; use as a context manager, or call `close`.

    Args: as `Transport`.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        language: str = "en",
        verify: bool | str = True,
    ) -> None:
        self.transport = Transport(
            endpoint,
            access_key,
            secret_key,
            timeout=timeout,
            patience=patience,
            language=language,
            verify=verify,
        )
        super().__init__(self.transport)

    def close(self) -> None:
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
