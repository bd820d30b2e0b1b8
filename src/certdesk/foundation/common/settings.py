"""The typed, frozen settings of one process.

`config/settings.py` reads environment and TOML and calls `install`; every other room asks `get`.
"""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Network = IPv4Network | IPv6Network
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseModel):
    """Every setting with its default; the name in the environment is `CERTDESK_` + upper case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(Path("data"), description="Folder of the database, logs and files.")
    http: str = Field("127.0.0.1:8080", description="host:port of the HTTP listener; empty = off.")
    https: str = Field("127.0.0.1:8443", description="host:port of the HTTPS listener; empty = off.")
    database_url: str = Field(
        "", description="postgresql://user:password@host:port/name; empty = SQLite in the data folder."
    )
    external_url: str = Field(
        "", description="Base of links in console, mails and ACME directory; empty = the HTTP listener."
    )
    pki_url: str = Field(
        "", description="http base of AIA, OCSP and CRL pointers; empty = the HTTP listener."
    )
    kek_file: Path | None = Field(
        None, description="Key-encryption keys, mode 0600; default `<data>.kek` beside the folder."
    )
    dcv_zone: str = Field(
        "dcv.certdesk.invalid", description="Zone under which CNAME values of domain checks stand."
    )
    workers: int = Field(0, ge=0, le=256, description="Web processes; 0 = one a core.")
    lab: bool = Field(False, description="Marks a laboratory: allows the lab clock.")
    lab_clock: Path | None = Field(
        None, description="File with signed seconds added to business time; needs `lab`."
    )
    dns_resolvers: tuple[str, ...] = Field(
        (), description="ip:port,… asked for every DNS question of validation; empty = authoritative walk."
    )
    dns_servers: tuple[str, ...] = Field(
        (), description="host:port,… of your own DNS servers and their APIs that DNS connections may change."
    )
    validation_http_ports: tuple[Port, ...] = Field(
        (80, 443), description="Ports of the file method and ACME http-01."
    )
    allow_networks: tuple[Network, ...] = Field(
        (), description="CIDRs that server-side fetches may reach beside public addresses."
    )
    target_folders: tuple[Path, ...] = Field(
        (), description="Folders in which deployment targets on this machine may have sockets and files."
    )
    target_programs: tuple[Path, ...] = Field(
        (),
        description="Programs, or folders of them, that deployment targets may run, with any arguments.",
    )
    look_seconds: int = Field(
        900,
        ge=5,
        le=86_400,
        description="How often what a target serves is looked at; a failed deployment is tried again after a "
        "fifteenth of it, then with longer pauses.",
    )
    perspectives: tuple[str, ...] = Field(
        (),
        description="name=url,… of remote perspectives (`certdesk perspective`); empty = this place alone.",
    )
    perspective_key_file: Path | None = Field(
        None, description="Secret shared with the remote perspectives, mode 0600, 32 characters or more."
    )
    mail_listener: str = Field(
        "", description="host:port where replies to confirmation mails arrive by SMTP; empty = off."
    )
    smtp_url: str = Field(
        "", description="smtp[s]://[user:password@]host:port[?starttls=1&from=…]; empty = keep in the outbox."
    )
    catalogue: Path | None = Field(None, description="Catalogue file; empty = the shipped one.")
    weak_keys: Path | None = Field(
        None, description="List of keys to refuse: the SHA-256 of an SPKI in hex per line, `#` comments."
    )
    pkcs11_module: Path | None = Field(
        None,
        description="Library of the PKCS#11 token (HSM) in which new keys of the CA are made; empty = none.",
    )
    pkcs11_token: str = Field("", description="Label of that token; needed with the library.")
    pkcs11_pin_file: Path | None = Field(
        None, description="File whose first line is the PIN of the token's user, mode 0600."
    )
    upload_quota: int = Field(
        20_000,
        ge=0,
        le=1_000_000,
        description="Uploaded certificates that an account may host at the same time.",
    )
    working_days: Path | None = Field(
        None,
        description="File of working days for approval periods; empty = the shipped one, Monday to Friday.",
    )
    trusted_proxies: tuple[Network, ...] = Field(
        (), description="CIDRs of reverse proxies whose X-Forwarded-For and -Proto are believed."
    )
    rate_key: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="Requests a second that an access key may send, five times as many at once; 0 = any.",
    )
    rate_address: int = Field(
        2000,
        ge=0,
        le=100_000,
        description="Requests a second from one address (IPv6: /64), five times as many at once; 0 = any.",
    )
    rate_sign_in: int = Field(
        10,
        ge=0,
        le=100_000,
        description="Sign-ins, tokens and mailed links a second from one address, ten times as many at once.",
    )
    log_level: str = Field("info", description="debug, info, warning or error.")

    @property
    def kek_path(self) -> Path:
        return self.kek_file or self.data.with_name(self.data.name + ".kek")

    @property
    def base_url(self) -> str:
        return (self.external_url or f"http://{self.http}").rstrip("/")

    @property
    def pki_base_url(self) -> str:
        return (self.pki_url or f"http://{self.http}").rstrip("/")


_installed: Settings | None = None


def install(settings: Settings) -> None:
    """Make `settings` the ones of this process; tests call it again to change them."""
    global _installed
    _installed = settings


def get() -> Settings:
    """The settings of this process.

    Raises:
        RuntimeError: when the start-up has not installed any.
    """
    if _installed is None:
        raise RuntimeError("settings are not installed: start through certdesk.config")
    return _installed
