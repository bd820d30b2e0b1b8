"""Options of a target as a typed model: validated, sealed, shown without secrets, drawn as a form."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pydantic
from pydantic import BaseModel, ConfigDict

from certdesk.connectors.targets.protocol import Reason, TargetError

LONGEST = 64
"""Characters of a push's name inside a target."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What a target connector may reach.

    Args:
        folders: where targets may have sockets and certificate files (`CERTDESK_TARGET_FOLDERS`).
        programs: what `running.run` may start, files or folders of them (`CERTDESK_TARGET_PROGRAMS`).
        seconds: for one command.
        max_bytes: of one answer or file.
    """

    folders: tuple[Path, ...] = ()
    programs: tuple[Path, ...] = ()
    seconds: float = 10.0
    max_bytes: int = 4 * 1024 * 1024

    def inside(self, path: str, field: str = "") -> Path:
        """The path without links, if it lies in one of the folders.

        Raises:
            TargetError: NOT_ALLOWED.
        """
        real = Path(path).resolve()
        if not any(real.is_relative_to(folder.resolve()) for folder in self.folders):
            raise TargetError(
                Reason.NOT_ALLOWED,
                f"{path} lies in no folder that targets may use.",
                "Ask the operator to name its folder in CERTDESK_TARGET_FOLDERS.",
                field=field,
            )
        return real


class TargetOptions(BaseModel):
    """Base of every kind's options. Unknown ones are refused; errors never show what was given."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True
    )
    label: ClassVar[str]

    def stored(self) -> dict[str, Any]:
        """JSON values, for sealing."""
        return self.model_dump(mode="json")

    def shown(self) -> dict[str, Any]:
        """JSON values for answers and pages; a kind with secrets masks them here."""
        return self.model_dump(mode="json")


def read(model: type[TargetOptions], given: Mapping[str, Any]) -> Any:
    """The options from a form or request.

    Raises:
        TargetError: OPTIONS, naming the fields that are wrong, never their values.
    """
    try:
        return model.model_validate(dict(given))
    except pydantic.ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'options'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False, include_context=False, include_input=False)[:8]
        )
        raise TargetError(
            Reason.OPTIONS,
            f"The options of the target are wrong: {told}.",
            "Correct these fields.",
            field="options",
        ) from None
