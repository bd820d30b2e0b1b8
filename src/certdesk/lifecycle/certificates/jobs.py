"""Makes the RSA keys of CSRs for which no ready one lay in the pool."""

import asyncio

from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler
from certdesk.pki.keystore import actions as keystore
from certdesk.pki.keystore.errors import KeyNotReady
from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

from . import csrs
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
