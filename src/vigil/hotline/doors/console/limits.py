"""What one request to the console may cost."""

from __future__ import annotations

from typing import Final

from vigil.base.limits import Limit

FILE_BYTES: Final = Limit(16 * 1024 * 1024, "bytes", "an upload stays in memory; larger files are hashed on the desk")
FRAME_BYTES: Final = Limit(64 * 1024, "bytes", "what a browser writes around the one file of an upload")
BODY_BYTES: Final = Limit(17 * 1024 * 1024, "bytes", "a body is kept in memory whole, so that no picture touches the disk")
