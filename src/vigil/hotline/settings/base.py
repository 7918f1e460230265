"""What all processes share. Nothing here opens anything: doors add what they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vigil.base import limits
from vigil.hotline.doors import languages
from vigil.hotline.settings import config as configuration
from vigil.hotline.settings.databases import database
from vigil.hotline.settings.keyfiles import load_secrets
from vigil.hotline.settings.logs import logging_settings

HOTLINE = Path(__file__).resolve().parent.parent
CONFIG = configuration.current()
KEYS = configuration.keys_of(CONFIG, load_secrets)

DEBUG = False
SECRET_KEY = KEYS.django
SEAL_KEYS = KEYS.seal
DIGEST_KEY = KEYS.digest

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "vigil.hotline.access",
    "vigil.hotline.audit",
    "vigil.hotline.approvals",
    "vigil.hotline.compartments",
    "vigil.hotline.desks",
    "vigil.hotline.vault",
    "vigil.hotline.welfare",
    "vigil.hotline.partners",
    "vigil.hotline.partners.sources",
    "vigil.hotline.reports",
    "vigil.hotline.holds",
    "vigil.hotline.schemes",
    "vigil.hotline.reviews",
    "vigil.hotline.assessments",
    "vigil.hotline.lists",
    "vigil.hotline.lists.exchange",
    "vigil.hotline.triage",
    "vigil.hotline.banks",
    "vigil.hotline.statistics",
    "vigil.hotline.retention",
    "vigil.hotline.doors.design",
]
AUTH_USER_MODEL = "access.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": database(CONFIG.database, KEYS.database_password)}
EDITIONS = Path(CONFIG.editions)

# Closed by default: every door keeps these, in this order, and adds its own in between.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "vigil.hotline.doors.headers.SecurityHeaders",
    "django.middleware.common.CommonMiddleware",
    "vigil.hotline.doors.refusals.DesignedRefusals",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "vigil.hotline.access.middleware.ClosedDoor",
]

# Access: who is asking (a dotted function of the request), and rules of views that are not ours.
DOOR_PERSON = "vigil.hotline.access.people.nobody"
ACCESS_RULES: dict[str, Any] = {}
SIGN_IN_PAGE = ""
SECOND_FACTOR_PAGE = ""
ELEVATION_PAGE = ""

# Transport and browser
PRODUCTION = not CONFIG.demo
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 63_072_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_CONTENT_TYPE_NOSNIFF = True
# "same-origin" says nothing to other sites; "no-referrer" would make browsers send `Origin: null` with our own forms,
# and the check against forged forms would refuse them.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PERMISSIONS_POLICY = (
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
    "magnetometer=(), microphone=(), payment=(), usb=()"
)
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_AGE = None  # gone when the browser is closed
CSRF_FAILURE_VIEW = "vigil.hotline.doors.errors.forged"
SESSION_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"

DATA_UPLOAD_MAX_MEMORY_SIZE = limits.FORM_BYTES.value
DATA_UPLOAD_MAX_NUMBER_FIELDS = limits.FORM_FIELDS.value
DATA_UPLOAD_MAX_NUMBER_FILES = 0
FILE_UPLOAD_HANDLERS: list[str] = []

USE_TZ = True
TIME_ZONE = CONFIG.time_zone
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = list(languages.LANGUAGES)
LOCALE_PATHS = [HOTLINE / "locale"]
APPEND_SLASH = False

LOGGING = logging_settings()
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
DEFAULT_EXCEPTION_REPORTER = "vigil.hotline.doors.reporter.SilentReporter"


def templates(door: str, *processors: str) -> list[dict[str, Any]]:
    """TEMPLATES of one door: its own folder first, then the rooms', then the shared fallback."""
    return [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [HOTLINE / "doors" / door / "templates", HOTLINE / "doors" / "templates"],
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.template.context_processors.i18n",
                    "vigil.hotline.doors.pages.installation",
                    *processors,
                ]
            },
        }
    ]


def allowed_hosts(door: configuration.Door) -> list[str]:
    """Names under which a door answers: its address, and loopback for its own health check."""
    return sorted({configuration.host_of(door), door.host} - {"0.0.0.0", "::"})  # noqa: S104 - taken out, not bound to
