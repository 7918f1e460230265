"""The URL map of processes without a door: empty."""

from __future__ import annotations

from typing import Any

urlpatterns: list[Any] = []
