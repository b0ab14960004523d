"""Looks at the start whether a broker's port can be reached, and says so if none can. Speaks no Kafka."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import structlog

CONNECT_S = 3.0
"""How long one address may take. Kafka's clients say the same much later, each for itself."""

_log = structlog.get_logger("streamsink.worker")


def look_for_brokers(servers: str, warn: Callable[..., object] | None = None) -> threading.Thread:
    """Try the addresses in the background; a warning if nobody listens at any of them.

    Args:
        servers: What `bootstrap.servers` says.
        warn: Takes the warning; the worker's log does by default.

    Returns:
        The thread, which ends by itself.
    """

    def look() -> None:
        reasons = unreached(servers)
        if reasons:
            (warn or _log.warning)(
                "no broker can be reached",
                brokers=reasons,
                hint="is Kafka running, and bootstrap.servers right? connectors wait for it",
            )

    thread = threading.Thread(target=look, name="look-for-brokers", daemon=True)
    thread.start()
    return thread


def unreached(servers: str) -> str:
    """Why nobody can be reached at any of these addresses; "" where somebody can.

    Args:
        servers: What `bootstrap.servers` says.
    """
    reasons = []
    for server in filter(None, map(str.strip, servers.split(","))):
        reason = _unreached(server)
        if not reason:
            return ""
        reasons.append(f"{server}: {reason}")
    return "; ".join(reasons)


def _unreached(server: str) -> str:
    """Why nobody can be reached at an address; "" where somebody can."""
    host, _, port = server.rpartition("://")[2].rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S):
            return ""
    except TimeoutError:
        return f"no answer within {CONNECT_S:.0f} s"
    except (OSError, ValueError) as error:
        return (error.strerror if isinstance(error, OSError) else None) or str(error)
