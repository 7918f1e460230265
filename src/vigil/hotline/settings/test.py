"""For tests: all apps, a throw-away database, fleeting secrets. A test picks its door with a fixture of conftest."""

from __future__ import annotations

import os
import tempfile

from vigil.hotline.settings import config as configuration

configuration.use_for_tests(
    database=os.environ.get("VIGIL_TEST_DATABASE") or "sqlite:///:memory:",
    folder=tempfile.gettempdir(),
)

from vigil.hotline.settings.console import *  # noqa: E402, F403
from vigil.hotline.settings.console import DATABASES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
DATABASES["default"]["CONN_MAX_AGE"] = 0
