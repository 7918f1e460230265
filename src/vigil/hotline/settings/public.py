"""The public door: reports, status pages and appeals. No sessions, no sign-in, no address kept."""

from __future__ import annotations

from vigil.hotline.settings.base import *  # noqa: F403
from vigil.hotline.settings.base import CONFIG, MIDDLEWARE, allowed_hosts, templates

DOOR = "public"
ROOT_URLCONF = "vigil.hotline.doors.public.urls"
WSGI_APPLICATION = "vigil.hotline.doors.public.wsgi.application"
ALLOWED_HOSTS = [*allowed_hosts(CONFIG.doors.public), *(host for portal in CONFIG.portals for host in portal.hosts)]
TEMPLATES = templates("public", "vigil.hotline.doors.public.portals.portal")
MIDDLEWARE = [*MIDDLEWARE]
MIDDLEWARE.insert(MIDDLEWARE.index("django.middleware.common.CommonMiddleware"), "django.middleware.locale.LocaleMiddleware")
MIDDLEWARE.insert(MIDDLEWARE.index("django.middleware.locale.LocaleMiddleware"), "vigil.hotline.doors.public.portals.Portals")
MIDDLEWARE.insert(MIDDLEWARE.index("django.middleware.csrf.CsrfViewMiddleware"), "vigil.hotline.doors.public.mishaps.BodyGuard")
CSRF_FAILURE_VIEW = "vigil.hotline.doors.public.mishaps.forged"
CSRF_COOKIE_NAME = "vigil_public_csrf"
LANGUAGE_COOKIE_NAME = "vigil_language"
