"""Makes the RSA keys of CSRs for which no ready one lay in the pool; reads new names for the search."""

import asyncio

from certdesk.foundation.jobs import actions as jobs
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore.errors import KeyNotReady
from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

from . import csrs, name_search
from .models import Csr


@handler(csrs.MAKE_KEY, lock="csr:{subject}")
class MakeCsrKey(Handler[KeyAlgorithm, PrivateKey]):
    """Takes a key that has become ready meanwhile, or makes one in a thread."""

    def load(self, job: Job) -> KeyAlgorithm | None:
        made = Csr.objects.select_for_update().filter(id=job.subject, csr="").first()
        if made is None:
            return None
        algorithm = KeyAlgorithm(made.private_key_algo)
        try:
            key = keystore.obtain(made.account_id, algorithm)
        except KeyNotReady:
            return algorithm
        csrs.give_key(made, key)
        return None

    async def perform(self, work: KeyAlgorithm) -> PrivateKey:
        return await asyncio.to_thread(keys.generate, work)

    def store(self, job: Job, work: KeyAlgorithm, result: PrivateKey) -> None:
        csrs.settle_key(job.subject, result)


READ_NAMES = "certificates.read_names"


@handler(READ_NAMES, lock=READ_NAMES)
class ReadNames(Handler[bool, None]):
    """SQLite only: new names into the trigrams, some hundred in a transaction."""

    def load(self, job: Job) -> bool | None:
        if name_search.read_names() == name_search.AT_ONCE:
            jobs.enqueue(READ_NAMES, dedupe_key=READ_NAMES)
        return None


periodic(READ_NAMES, 10, at_start=True)
