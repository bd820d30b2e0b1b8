"""Keeps the pool of RSA keys filled; the keys are made in a thread, which frees the interpreter meanwhile."""

import asyncio

from certdesk.foundation.jobs.actions import enqueue
from certdesk.foundation.jobs.models import Job
from certdesk.foundation.jobs.registry import Handler, handler, periodic
from certdesk.pki.x509 import keys
from certdesk.pki.x509.keys import KeyAlgorithm, PrivateKey

from . import actions, queries, rules


@handler(actions.REFILL, lock=actions.REFILL)
class Refill(Handler[KeyAlgorithm, PrivateKey]):
    """Makes one key, then adds itself again while more lack, so a 2048-bit key never waits for a larger."""

    def load(self, job: Job) -> KeyAlgorithm | None:
        return next(iter(rules.lacking(queries.pool_counts())), None)

    async def perform(self, work: KeyAlgorithm) -> PrivateKey:
        return await asyncio.to_thread(keys.generate, work)

    def store(self, job: Job, work: KeyAlgorithm, result: PrivateKey) -> None:
        actions.store_in_pool(result)
        if rules.lacking(queries.pool_counts()):
            enqueue(actions.REFILL, dedupe_key=actions.REFILL)


periodic(actions.REFILL, 60, at_start=True)
