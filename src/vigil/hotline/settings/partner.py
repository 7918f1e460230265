"""The partner door: counts in, editions out. Machines with a bearer token; no cookies, no forms, no pages."""

from __future__ import annotations

from vigil.base import limits
from vigil.hotline.settings.base import *  # noqa: F403
from vigil.hotline.settings.base import CONFIG, MIDDLEWARE, allowed_hosts, templates

DOOR = "partner"
ROOT_URLCONF = "vigil.hotline.doors.partner.urls"
WSGI_APPLICATION = "vigil.hotline.doors.partner.wsgi.application"
ALLOWED_HOSTS = allowed_hosts(CONFIG.doors.partner)
TEMPLATES = templates("partner")
# The check against forged forms stays on; views that take a bearer token, which no browser adds by itself, are exempt.
MIDDLEWARE = ["vigil.hotline.doors.partner.answers.OneSlash", *MIDDLEWARE]
DOOR_PERSON = "vigil.hotline.doors.partner.people.person_of"
DATA_UPLOAD_MAX_MEMORY_SIZE = limits.JSON_BODY_BYTES.value  # a batch; each view bounds its own kind of body
SECURE_REFERRER_POLICY = "no-referrer"
CONTENT_SECURITY_POLICY = "default-src 'none'; frame-ancestors 'none'"
