"""What happens to a file in a form: it stays in memory, within the size of a document, whoever sends it.

Django's own handlers write larger ones to a temporary folder, unsealed, before anybody asks who sent them.
"""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import MemoryFileUploadHandler, StopUpload

from certdesk.lifecycle.validation.document_rules import MAX_BYTES

MOST_READ = 16 * 1024 * 1024


class Bounded(MemoryFileUploadHandler):
    """Reads at most one byte more than a document may have; the view then finds it too large."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803 Django calls it so
        content_length: int,
        *rest: Any,
        **more: Any,
    ) -> None:
        if content_length > MOST_READ:
            raise RequestDataTooBig("the form is larger than any document may be")
        self.activated = True
        self.taken = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        if self.taken > MAX_BYTES:
            self.request.upload_too_large = True  # type: ignore[union-attr]
            raise StopUpload(connection_reset=False)
        self.taken += len(raw_data)
        return super().receive_data_chunk(raw_data, start)
