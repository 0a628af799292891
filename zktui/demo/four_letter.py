"""ZooKeeper's four-letter words over a plain connection: how a probe in a container asks its server."""

from __future__ import annotations

import asyncio

SERVING = ("leader", "follower", "observer", "standalone")


async def ask(host: str, port: int, word: str) -> str:
    """The server's whole answer; raises OSError when nothing listens or the connection breaks.

    Waits for as long as the server keeps the connection open: give it a deadline.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(word.encode())
        await writer.drain()
        return (await reader.read()).decode("utf-8", "replace")
    finally:
        writer.close()


def mode(srvr: str) -> str:
    """The Mode in an answer to ``srvr``; empty for a server that is up but does not serve."""
    return next((line.partition(": ")[2].strip() for line in srvr.splitlines() if line.startswith("Mode: ")), "")
