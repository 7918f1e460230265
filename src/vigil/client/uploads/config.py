"""The file of an upload gate, read strictly: unknown keys are refused, secrets are in files of their own."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vigil.base.clock import Clock
from vigil.base.errors import InputError
from vigil.client import Client, FailClosed
from vigil.client.uploads.gate import Buckets, UploadGate
from vigil.client.uploads.hotline import Hotline
from vigil.client.uploads.s3 import Credentials, S3Store
from vigil.client.uploads.webhooks import Notices
from vigil.media import hash_image


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class Listen(Table, frozen=True, kw_only=True):
    """Where bucket events are taken; ``token_file`` holds what a store sends as bearer token."""

    token_file: str
    host: str = "127.0.0.1"
    port: int = 8480


class NodeAt(Table, frozen=True, kw_only=True):
    """The edge node that is asked."""

    address: str
    token_file: str | None = None


class StoreAt(Table, frozen=True, kw_only=True):
    """The store; ``keys_file`` holds the access key and the secret, one a line."""

    endpoint: str
    keys_file: str
    region: str = "us-east-1"
    incoming: str
    published: str
    quarantine: str
    held: str


class HotlineAt(Table, frozen=True, kw_only=True):
    """The hotline's partner door, and the name under which the platform reports."""

    address: str
    token_file: str
    service: str


class WebhookAt(Table, frozen=True, kw_only=True):
    """The application that is told of each upload."""

    address: str
    secret_file: str


class GateFile(Table, frozen=True, kw_only=True):
    """The whole file. Paths start at its folder."""

    state: str
    listen: Listen
    node: NodeAt
    store: StoreAt
    hotline: HotlineAt | None = None
    webhook: WebhookAt | None = None
    media_bytes: int = 64 * 1024 * 1024
    again_seconds: float = 30.0


class Built(msgspec.Struct, frozen=True):
    """A gate put together; ``notices`` is None without a webhook."""

    file: GateFile
    gate: UploadGate
    client: Client
    notices: Notices | None
    token: str
    state: Path


def load(path: Path) -> tuple[GateFile, Path]:
    """The file in ``path``, and its folder. Raises InputError."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=GateFile), path.parent
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        where = str(error) if isinstance(error, msgspec.ValidationError) else path.name
        raise InputError(
            "gate_config", "The file of the upload gate cannot be read.", where=where, mend="See docs/guides/upload-gate.md."
        ) from error


def build(file: GateFile, folder: Path, clock: Clock) -> Built:
    """The parts of a gate. Raises InputError where a secret is missing."""
    state = (folder / file.state).resolve()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    keys = secret(folder, file.store.keys_file).split()
    if len(keys) != 2:
        raise InputError("gate_secret", "The file of keys holds an access key and a secret.", where="store.keys_file")
    store = S3Store(file.store.endpoint, Credentials(keys[0], keys[1], file.store.region), clock.now)
    token = secret(folder, file.node.token_file) if file.node.token_file else None
    client = Client(file.node.address, policy=FailClosed(), token=token)
    notices = None
    if file.webhook is not None:
        key = secret(folder, file.webhook.secret_file).encode()
        notices = Notices(state / "notices", file.webhook.address, key, clock.now)
    gate = UploadGate(
        store=store,
        buckets=Buckets(file.store.incoming, file.store.published, file.store.quarantine, file.store.held),
        ask=client.match_file,
        hashes=hash_image,
        clock=clock,
        tell=notices.post if notices is not None else lambda document: None,
        reporter=_hotline(file, folder),
        most_bytes=file.media_bytes,
    )
    return Built(file, gate, client, notices, secret(folder, file.listen.token_file), state)


def _hotline(file: GateFile, folder: Path) -> Hotline | None:
    if file.hotline is None:
        return None
    return Hotline(file.hotline.address, secret(folder, file.hotline.token_file), file.hotline.service)


def secret(folder: Path, name: str) -> str:
    """What a file of a secret holds."""
    try:
        found = (folder / name).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("gate_secret", "A file with a secret cannot be read.", where=name) from error
    if not found:
        raise InputError("gate_secret", "A file with a secret is empty.", where=name)
    return found
