"""For type checks and "are the migrations complete?": all apps, no configuration file, nothing opened."""

from __future__ import annotations

import tempfile

from vigil.hotline.settings import config as configuration

configuration.use_for_tests(database="sqlite:///:memory:", folder=tempfile.gettempdir())

from vigil.hotline.settings.console import *  # noqa: E402, F403
