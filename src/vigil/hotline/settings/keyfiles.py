"""The secrets of an installation: small files in one folder, readable by their owner only.

    django.key   signs sessions and form tokens
    seal.key     encrypts sealed fields; one Fernet key a line, the first one encrypts, all of them decrypt
    digest.key   keys the digests by which sealed values are compared; changing it loses every comparison
    database.password   optional: password of the PostgreSQL role
    single-sign-on.secret   optional: what the provider of single sign-on knows us by
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet

from vigil.base.errors import RefusedError, UnavailableError
from vigil.base.files import write_atomically

FOR_OTHERS: Final = 0o077
MODE: Final = 0o600


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """What the files hold. ``seal`` has the encrypting key first."""

    django: str
    seal: tuple[str, ...]
    digest: bytes
    database_password: str
    single_sign_on: str = ""


def create_secrets(folder: Path) -> None:
    """Create the folder and every missing key in it; keys that are there stay as they are."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = {
        "django.key": secrets.token_urlsafe(64),
        "seal.key": Fernet.generate_key().decode(),
        "digest.key": secrets.token_hex(32),
    }
    for name, content in fresh.items():
        if not (folder / name).exists():
            write_atomically(folder / name, (content + "\n").encode(), mode=MODE)


def load_secrets(folder: Path) -> Keys:
    """Read the keys; a missing one or one that others may read is refused."""
    return Keys(
        django=_read(folder / "django.key"),
        seal=tuple(_read(folder / "seal.key").split()),
        digest=_hexadecimal(folder / "digest.key"),
        database_password=_optional(folder / "database.password"),
        single_sign_on=_optional(folder / "single-sign-on.secret"),
    )


def _optional(path: Path) -> str:
    return _read(path) if path.exists() else ""


def fleeting_secrets() -> Keys:
    """Keys for tests and checks: made anew in each process, written nowhere."""
    return Keys(secrets.token_urlsafe(64), (Fernet.generate_key().decode(),), secrets.token_bytes(32), "")


def _hexadecimal(path: Path) -> bytes:
    try:
        return bytes.fromhex(_read(path))
    except ValueError as error:
        raise UnavailableError(
            "secret_malformed", "A secret is damaged.", where=str(path), mend="Bring it back from your backup."
        ) from error


def _read(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        content = path.read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        raise UnavailableError(
            "secret_missing",
            "A secret cannot be read.",
            where=str(path),
            mend="Mend its owner and mode, or bring it back from your backup: a new one cannot open what the old one sealed. "
            "Only for a new installation: `vigil hotline secrets`.",
        ) from error
    if mode & FOR_OTHERS and os.name == "posix":
        raise RefusedError("secret_exposed", "A secret can be read by others.", where=str(path), mend=f"Run: chmod 600 {path}")
    return content
