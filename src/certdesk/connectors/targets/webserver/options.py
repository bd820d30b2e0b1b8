"""The options that all web servers share."""

from typing import Annotated, ClassVar

import pydantic

from certdesk.connectors.targets.options import Listener, TargetOptions

PathText = Annotated[str, pydantic.Field(pattern=r"^/[\x21-\x7e]{1,250}$")]
PairText = Annotated[
    str, pydantic.Field(pattern=r"^/[\x21-\x3c\x3e-\x7e]{1,250}=/[\x21-\x3c\x3e-\x7e]{1,250}$")
]
Unit = Annotated[
    str, pydantic.Field(pattern=r"^(nginx|openresty|apache2|httpd)(@[A-Za-z0-9_.-]{1,60})?(\.service)?$")
]
"""Only units of web servers: nobody reloads something else through a target."""


class WebServerOptions(TargetOptions):
    """Configuration, listeners, and how the server is told to read its files again."""

    usual_service: ClassVar[str] = "OTHER"

    config: PathText
    listeners: Annotated[tuple[Listener, ...], pydantic.Field(max_length=20)] = pydantic.Field(
        (),
        title="Listeners",
        description="Empty: as the configuration says, looked at on this machine. Else host:port where "
        "clients connect, e.g. the address of a balancer in front; each is looked at after a deployment.",
        examples=["10.0.0.5:443"],
    )
    pairs: Annotated[tuple[PairText, ...], pydantic.Field(max_length=50)] = pydantic.Field(
        (),
        title="Certificate files",
        description="Empty: every certificate that the configuration names. Else "
        "/path/certificate=/path/key, and only these are offered; name the listeners too.",
        examples=["/etc/ssl/site.crt=/etc/ssl/site.key"],
    )
    folder: PathText | None = pydantic.Field(
        None,
        title="Folder for pushed certificates",
        description="Empty when nothing is pushed here.",
        examples=["/etc/ssl/pushed"],
    )
    unit: Unit | None = pydantic.Field(
        None,
        title="systemd unit",
        description="Empty: its own command tells the server to reload. Else systemctl does, e.g. nginx.",
    )
    sudo: bool = pydantic.Field(
        False,
        title="Run the server's commands with sudo",
        description="For a service that does not run as root: the operator allows it these in sudoers.",
    )

    @pydantic.model_validator(mode="after")
    def _pairs_have_listeners(self) -> "WebServerOptions":
        if self.pairs and not self.listeners:
            raise ValueError("certificate files are named without the listeners that serve them")
        return self
