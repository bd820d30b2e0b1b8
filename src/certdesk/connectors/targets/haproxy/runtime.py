"""HAProxy's Runtime API on its UNIX socket: one command a connection, the answer's words are all there is."""

import asyncio

from certdesk.connectors.targets.options import Outside
from certdesk.connectors.targets.protocol import Reason, TargetError

from . import listing

_RETRY_SECONDS = 1.0


class Runtime:
    """Commands to one HAProxy; the socket needs `level admin`."""

    def __init__(self, socket: str, outside: Outside) -> None:
        self._socket, self._outside = socket, outside

    async def ask(self, command: str, payload: str = "") -> str:
        """The whole answer.

        Args:
            payload: lines without an empty one among them, which would end it.

        Raises:
            TargetError: NOT_ALLOWED, UNREACHABLE, TIMEOUT or BAD_ANSWER.
        """
        path = self._outside.inside(self._socket, "socket")
        text = f"{command} <<\n{payload.rstrip()}\n\n" if payload else f"{command}\n"
        try:
            async with asyncio.timeout(self._outside.seconds):
                reader, writer = await asyncio.open_unix_connection(str(path))
                try:
                    writer.write(text.encode())
                    await writer.drain()
                    answer = await _read(reader, self._outside.max_bytes)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            raise TargetError(
                Reason.TIMEOUT, f"HAProxy did not answer {_verb(command)} in {self._outside.seconds:g} s."
            ) from None
        except OSError as error:
            raise TargetError(
                Reason.UNREACHABLE,
                f"HAProxy's socket {self._socket} cannot be used: {error.strerror or error}.",
                "Check that HAProxy runs and that this service may open its socket.",
            ) from None
        if "Permission denied" in answer:
            raise TargetError(
                Reason.REFUSED,
                f"HAProxy does not allow {_verb(command)} on this socket.",
                "Give the socket `level admin` in HAProxy's configuration.",
            )
        return answer.replace("\0", "")

    async def replace(self, path: str, pem: str) -> None:
        """Certificate and key at once, or the old ones stay (set, commit; abort when refused).

        Raises:
            TargetError: BUSY while somebody else's transaction is open, REFUSED in HAProxy's words.
        """
        await self._end_stale(path)
        try:
            answer = await self.ask(f"set ssl cert {path}", pem)
            # In HAProxy 2.6 a `set` during another transaction changes that one, whatever path it names.
            if f"Transaction created for certificate {path}!" not in answer:
                raise _refused(f"take a new certificate for {path}", answer)
            answer = await self.ask(f"commit ssl cert {path}")
            if "Success!" not in answer:
                raise _refused(f"put the new certificate of {path} into force", answer)
        except TargetError:
            await self._abort(path)
            raise

    async def _end_stale(self, path: str) -> None:
        """One transaction at a time: one that stands still for a second was left by somebody who died."""
        for wait in (True, False):
            _, pending = listing.certificates(await self.ask("show ssl cert"))
            if not pending:
                return
            if wait and pending != path:
                await asyncio.sleep(_RETRY_SECONDS)
        await self.ask(f"abort ssl cert {pending}")

    async def _abort(self, path: str) -> None:
        """Whatever is pending now holds parts of ours."""
        try:
            _, pending = listing.certificates(await self.ask("show ssl cert"))
            if pending:
                await self.ask(f"abort ssl cert {pending or path}")
        except TargetError:
            return  # it does not answer any more: the next transaction ends this one

    async def create(self, path: str, pem: str) -> None:
        """A new certificate that nothing uses.

        Raises:
            TargetError: as `replace`, and REFUSED when one in use has the path.
        """
        found = listing.certificate(await self.ask(f"show ssl cert {path}"))
        if found is None:
            answer = await self.ask(f"new ssl cert {path}")
            if "New empty certificate store" not in answer:
                raise _refused(f"make the certificate {path}", answer)
        elif found.status == "Used":
            raise _refused(f"make the certificate {path}", "it is in use")
        await self.replace(path, pem)

    async def stored(self, path: str) -> listing.Stored | None:
        return listing.certificate(await self.ask(f"show ssl cert {path}"))

    async def paths(self) -> tuple[str, ...]:
        return listing.certificates(await self.ask("show ssl cert"))[0]

    async def lists(self) -> dict[str, tuple[listing.Entry, ...]]:
        """The entries of every crt-list."""
        names = listing.lists(await self.ask("show ssl crt-list"))
        return {name: listing.entries(await self.ask(f"show ssl crt-list -n {name}")) for name in names}

    async def rename(self, path: str, names: tuple[str, ...]) -> None:
        """The lines of the certificate that have SNI filters get these names instead.

        A line that HAProxy needs as a listener's default stays beside the new one: the default is served for
        its old names anyway.
        """
        for file, found in (await self.lists()).items():
            mine = [one for one in found if one.path == path and one.filters]
            stale = [one for one in mine if set(one.filters) != set(names)]
            if not stale:
                continue
            if len(stale) == len(mine):
                answer = await self.ask(f"add ssl crt-list {file}", stale[0].written(names))
                if "Success!" not in answer:
                    raise _refused(f"change the names of {path}", answer)
            for one in stale:
                answer = await self.ask(f"del ssl crt-list {file} {path}:{one.line}")
                if "deleted in" not in answer and "default certificate" not in answer:
                    raise _refused(f"take away the old names of {path}", answer)


def _refused(what: str, answer: str) -> TargetError:
    told = " ".join(answer.split())[:300].rstrip(".!") or "nothing was answered"
    return TargetError(
        Reason.REFUSED, f"HAProxy did not {what}: {told}.", "Read HAProxy's words; correct its configuration."
    )


async def _read(reader: asyncio.StreamReader, most: int) -> str:
    found = bytearray()
    while chunk := await reader.read(65536):
        found += chunk
        if len(found) > most:
            raise TargetError(Reason.BAD_ANSWER, f"HAProxy answered more than {most} bytes.")
    return found.decode("utf-8", "replace")


def _verb(command: str) -> str:
    return " ".join(command.split()[:3])
