"""Where a storm's objects go: a real S3 behind a proxy that misbehaves, or a folder. Reads them without our code."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from obstore.store import S3Store

from streamsink.testing.http_faults import DELAY, RAIN, REFUSE_BEFORE, Fault, FaultProxy
from tests.servers.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedServer
from tests.storm.harness import plan

FULL = Fault(507, "InsufficientStorage")


class StormStore(Protocol):
    """What a storm asks of a store."""

    options: dict[str, str]

    def url(self, sink: str) -> str:
        """A connector's `archive.url`."""
        ...

    def objects(self, sink: str, topics_dir: str) -> Iterator[tuple[str, bytes]]:
        """Names and contents of everything below a folder, past every fault."""
        ...

    def suffer(self, fault: plan.Fault, sleep: Callable[[float], object]) -> None:
        """Carry a fault out, and end it."""
        ...

    @property
    def faults(self) -> int:
        """How many requests have suffered."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


class LocalFolder:
    """Objects as files. Its faults happen in the workers: see `shim`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.options: dict[str, str] = {}
        self.faults = 0

    def url(self, sink: str) -> str:
        """See `StormStore`."""
        return (self.folder / sink).as_uri()

    def objects(self, sink: str, topics_dir: str) -> Iterator[tuple[str, bytes]]:
        """See `StormStore`."""
        for path in sorted((self.folder / sink / topics_dir).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield str(path), path.read_bytes()

    def suffer(self, fault: plan.Fault, sleep: Callable[[float], object]) -> None:
        """See `StormStore`."""
        raise AssertionError(f"a folder has no {fault}")

    def stop(self) -> None:
        """See `StormStore`."""


class StormS3:
    """SeaweedFS behind a proxy."""

    def __init__(self, folder: Path, seed: int) -> None:
        folder.mkdir(parents=True)
        self._server = SeaweedServer(folder)
        self._server.start()
        self._proxy = FaultProxy(self._server.port)
        self._dice = random.Random(seed)
        self.options = {**self._server.options, "endpoint": self._proxy.endpoint, "timeout_s": "10"}

    def url(self, sink: str) -> str:
        """See `StormStore`."""
        return f"s3://{BUCKET}/{sink}"

    def objects(self, sink: str, topics_dir: str) -> Iterator[tuple[str, bytes]]:
        """See `StormStore`."""
        store = S3Store(
            BUCKET,
            endpoint=self._server.endpoint,
            region="us-east-1",
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )
        for batch in store.list(f"{sink}/{topics_dir}/"):
            for found in batch:
                yield found["path"], bytes(store.get(found["path"]).bytes())

    def suffer(self, fault: plan.Fault, sleep: Callable[[float], object]) -> None:
        """See `StormStore`."""
        seed = self._dice.randrange(1 << 30)
        match fault.kind:
            case plan.Kind.STORE_RAIN:
                self._proxy.rain(fault.amount, seed=seed)
            case plan.Kind.STORE_AWAY:
                self._proxy.rain(1.0, seed=seed, faults=_all(REFUSE_BEFORE))
            case plan.Kind.STORE_SLOW:
                self._proxy.rain(1.0, seed=seed, faults=_all(DELAY))
            case plan.Kind.STORE_FULL:
                self._proxy.rain(1.0, seed=seed, faults={**_all(DELAY), "PUT": (FULL,), "POST": (FULL,)})
        sleep(fault.lasts_s)
        self._proxy.rain(0, seed=0)

    @property
    def faults(self) -> int:
        """See `StormStore`; a request that was only slow is not counted."""
        return sum(count for fault, count in self._proxy.suffered.items() if not fault.passed)

    def stop(self) -> None:
        """See `StormStore`."""
        self._proxy.stop()
        self._server.stop()


def _all(fault: Fault) -> dict[str, tuple[Fault, ...]]:
    return dict.fromkeys((*RAIN, "HEAD", "POST", "DELETE"), (fault,))
