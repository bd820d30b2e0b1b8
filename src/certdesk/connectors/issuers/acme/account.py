"""The account at an ACME server (RFC 8555 §7.3): found by its key, made, its contact changed."""

from collections.abc import Mapping
from typing import Any

from certdesk.connectors.issuers.acme.keys import AccountKey, bound, read, unb64
from certdesk.connectors.issuers.acme.memory import Memory
from certdesk.connectors.issuers.acme.options import AcmeOptions
from certdesk.connectors.issuers.acme.problems import AcmeRefused
from certdesk.connectors.issuers.acme.wire import Signer, Wire, no_acme
from certdesk.connectors.issuers.protocol import IssuerError, Reason


class Account:
    """The one account of a configured issuer; its URL is asked for once in a process."""

    def __init__(self, options: AcmeOptions, wire: Wire, memory: Memory) -> None:
        self._options, self._wire, self._memory = options, wire, memory
        self._key = read(options.account_key.get_secret_value())
        self._signer: Signer | None = None

    async def signer(self, *, make: bool = False) -> Signer:
        """Who asks from here on.

        Args:
            make: an account, where there is none.

        Raises:
            IssuerError: CREDENTIALS, there is none, or it is not made; or as every request.
        """
        if self._signer is None:
            self._signer = await self._found(self._key)
        if self._signer is None and make:
            self._signer = await self._made()
        if self._signer is None:
            message = f"{self._wire.host} knows no account by the key of these options."
            raise IssuerError(Reason.CREDENTIALS, message, "Test this certificate authority, then try again.")
        return self._signer

    def forget(self) -> None:
        """The server is asked for its directory and the account again, e.g. as it has lost the account."""
        self._memory.forget_directory(self._options.directory)
        self._memory.forget_account(self._options.directory, self._key.thumbprint)
        self._signer = None

    async def _found(self, key: AccountKey) -> Signer | None:
        known = self._memory.account_of(self._options.directory, key.thumbprint)
        if known:
            return Signer(key, known)
        try:
            return await self._asked(key, {"onlyReturnExisting": True})
        except AcmeRefused as error:
            if error.kind == "accountDoesNotExist":
                return None
            raise

    async def _made(self) -> Signer:
        meta = await self._wire.meta()
        payload: dict[str, Any] = {"contact": self._contact()}
        if meta.get("termsOfService") and not self._options.terms_agreed:
            terms = str(meta["termsOfService"])
            raise IssuerError(
                Reason.CREDENTIALS,
                f"{self._wire.host} makes no account before its terms are agreed to: {terms!r:.300}.",
                "Read them, then agree in the options of this certificate authority.",
                field="terms_agreed",
            )
        if self._options.terms_agreed:
            payload["termsOfServiceAgreed"] = True
        if self._options.eab_key_id:
            payload["externalAccountBinding"] = await self._binding()
        elif meta.get("externalAccountRequired") is True:
            message = f"{self._wire.host} makes accounts only for customers that it knows (EAB)."
            raise IssuerError(
                Reason.CREDENTIALS,
                message,
                "Get a key id and an HMAC key from it, and put both into the options.",
                field="eab_key_id",
            )
        return await self._asked(self._key, payload)

    async def _binding(self) -> Mapping[str, str]:
        url = await self._wire.url_of("newAccount")
        mac = unb64(self._options.eab_hmac_key.get_secret_value())
        return bound(self._options.eab_key_id, mac, url, self._key.jwk)

    def _contact(self) -> list[str]:
        return [f"mailto:{self._options.email}"] if self._options.email else []

    async def _asked(self, key: AccountKey, payload: Mapping[str, Any]) -> Signer:
        url = await self._wire.url_of("newAccount")
        answer = await self._wire.post(url, payload, Signer(key), "The account")
        found = answer.header("location")
        if not found:
            raise no_acme(self._wire.host)
        self._memory.has_account(self._options.directory, key.thumbprint, found)
        return Signer(key, found)

    async def update_contact(self) -> None:
        """Tells the server the email address of the options, or that there is none now."""
        by = await self.signer()
        await self._wire.post(by.account, {"contact": self._contact()}, by, "The change of the contact")
