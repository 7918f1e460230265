"""Tasks on Ray: several machines, or this one. Ray runs a task again when the process or machine that had it dies.

Workers get the listed hashes through Ray's object store and write them once a machine into a folder of their own; folders,
archives and Parquet files must be at the same path on every machine. Nothing is reported to anybody: usage statistics and
the dashboard are off.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from vigil.base.errors import UnavailableError
from vigil.scan.limits import ATTEMPTS
from vigil.scan.model import Done, Task, unknown
from vigil.scan.pool import DIED, IN_FLIGHT
from vigil.scan.worker import Setup, Worker

QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
_own: dict[str, Worker] = {}


def work(files: dict[str, bytes], digest: str, setup: bytes, task: bytes) -> bytes:
    """One task in whatever process Ray chose; its worker stays for the next one."""
    if digest not in _own:
        folder = _written(files, digest)
        wanted = msgspec.json.decode(setup, type=Setup)
        _own[digest] = Worker(msgspec.structs.replace(wanted, listed=str(folder)))
    return msgspec.json.encode(_own[digest].work(msgspec.json.decode(task, type=Task)))


def _written(files: dict[str, bytes], digest: str) -> Path:
    """The folder of listed hashes on this machine; the first process that comes writes it, whole or not at all.

    A folder of that name that is somebody else's is not used: what stands in it would decide what is listed.
    """
    folder = Path(tempfile.gettempdir()) / f"vigil-scan-{os.getuid()}-{digest}"
    if _is_ours(folder):
        return folder
    made = Path(tempfile.mkdtemp(prefix="vigil-scan-", dir=folder.parent))
    for name, content in files.items():
        (made / name).write_bytes(content)
    try:
        made.rename(folder)
    except OSError:
        if not _is_ours(folder):
            return made
        shutil.rmtree(made, ignore_errors=True)  # another process was first
    return folder


def _is_ours(folder: Path) -> bool:
    """Whether a folder is one that a process of this user has written, and nobody else can write to."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


class OnRay:
    """The engine for archives beyond one machine. ``address`` of a running cluster; empty starts one on this machine."""

    def __init__(self, setup: Setup, workers: int, edition: int, address: str = "") -> None:
        os.environ.update({name: value for name, value in QUIET.items() if name not in os.environ})
        try:
            import ray  # an extra
        except ModuleNotFoundError as error:
            raise UnavailableError("ray_missing", "This needs Ray.", mend="pip install 'vigil[ray]'") from error
        self._ray: Any = ray
        self._edition, self._workers, self._setup = edition, workers, msgspec.json.encode(setup)
        try:
            self._begin(address, workers)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UnavailableError("ray_unreachable", "The Ray cluster cannot be reached.", mend="Check its address.") from error
        files = {path.name: path.read_bytes() for path in sorted(Path(setup.listed).iterdir())}
        self._digest = hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in files.values())).hexdigest()[:24]
        self._files = ray.put(files)
        self._work = ray.remote(max_retries=ATTEMPTS.value, num_cpus=1)(work)

    def _begin(self, address: str, workers: int) -> None:
        if address:
            self._ray.init(address=address, logging_level="ERROR", log_to_driver=False)
            self._workers = int(self._ray.cluster_resources().get("CPU", workers))
        else:
            self._ray.init(
                num_cpus=workers, include_dashboard=False, logging_level="ERROR", log_to_driver=False,
                _node_ip_address="127.0.0.1",
            )  # fmt: skip

    def run(self, tasks: Iterable[Task]) -> Iterator[Done]:
        """As many tasks at a time as keep the cluster busy."""
        waiting: dict[Any, Task] = {}
        for task in tasks:
            waiting[self._work.remote(self._files, self._digest, self._setup, msgspec.json.encode(task))] = task
            if len(waiting) >= IN_FLIGHT * self._workers:
                yield self._next(waiting)
        while waiting:
            yield self._next(waiting)

    def _next(self, waiting: dict[Any, Task]) -> Done:
        (ended, *_), _ = self._ray.wait(list(waiting), num_returns=1)
        task = waiting.pop(ended)
        try:
            return msgspec.json.decode(self._ray.get(ended), type=Done)
        except self._ray.exceptions.WorkerCrashedError:
            return Done(task.number, task.digest, tuple(unknown(item, self._edition, DIED) for item in task.items))

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()
