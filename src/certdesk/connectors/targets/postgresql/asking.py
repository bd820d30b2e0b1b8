"""One statement to a PostgreSQL server over its UNIX socket."""

import asyncio
from collections.abc import Mapping
from typing import LiteralString

import psycopg

from certdesk.connectors.targets.protocol import Reason, TargetError


async def ask(server: Mapping[str, str], statement: LiteralString, seconds: float) -> tuple[str, str]:
    """The two texts of the statement's one row.

    Args:
        server: host (the folder of the socket), port, user, dbname, password (empty for none).

    Raises:
        TargetError: UNREACHABLE, TIMEOUT, or REFUSED in the server's words.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _row(server, statement)
    except TimeoutError:
        raise TargetError(Reason.TIMEOUT, f"PostgreSQL did not answer within {seconds:g} s.") from None
    except psycopg.OperationalError as error:
        raise TargetError(
            Reason.UNREACHABLE,
            f"PostgreSQL cannot be used at {server['host']}: {_line(error)}.",
            "Check that it runs, the folder of its socket, port, user and password.",
        ) from None
    except psycopg.Error as error:
        raise TargetError(
            Reason.REFUSED,
            f"PostgreSQL refused: {_line(error)}.",
            f"Give the role {server['user']} the right to execute pg_reload_conf().",
        ) from None


async def _row(server: Mapping[str, str], statement: LiteralString) -> tuple[str, str]:
    given = {key: value for key, value in server.items() if value}
    async with await psycopg.AsyncConnection.connect("", autocommit=True, **given) as connection:  # type: ignore[arg-type]
        first, second = await (await connection.execute(statement)).fetchone() or ("", "")
        return str(first), str(second)


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())[:300].rstrip(".!")
