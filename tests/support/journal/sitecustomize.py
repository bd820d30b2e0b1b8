"""On PYTHONPATH of an installation under test: keeps a journal of every signature, outside the database.

Each serial is appended to the file SIGNER_JOURNAL and flushed to the disk before the signature is handed
over, so the journal knows of signatures whose process was killed a moment later.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

SIGNER = "certdesk.pki.authority.issue"


class _Journalled(Loader):
    """Loads the module as its own loader would, then wraps its `sign`."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        sign = module.sign

        def journalled(prepared: Any) -> Any:
            signed = sign(prepared)
            _append(signed.serial)
            return signed

        module.sign = journalled  # type: ignore[attr-defined]


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != SIGNER:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Journalled(spec.loader)
        return spec


def _append(serial: str) -> None:
    handle = os.open(os.environ["SIGNER_JOURNAL"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, f"{serial}\n".encode("ascii"))
        os.fsync(handle)
    finally:
        os.close(handle)


if "SIGNER_JOURNAL" in os.environ:
    sys.meta_path.insert(0, _Finder())
