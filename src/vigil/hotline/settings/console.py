"""The console door: staff only, behind a password and a second factor."""

from __future__ import annotations

from typing import Any

from vigil.hotline.access.rules import OpenToAll, SignedIn
from vigil.hotline.settings.base import *  # noqa: F403
from vigil.hotline.settings.base import CONFIG, INSTALLED_APPS, KEYS, MIDDLEWARE, PRODUCTION, allowed_hosts, templates

DOOR = "console"
ROOT_URLCONF = "vigil.hotline.doors.console.urls"
WSGI_APPLICATION = "vigil.hotline.doors.console.wsgi.application"
ALLOWED_HOSTS = allowed_hosts(CONFIG.doors.console)
INSTALLED_APPS = [
    *INSTALLED_APPS,
    "django.contrib.sessions",
    "django.contrib.messages",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
]
MIDDLEWARE = [*MIDDLEWARE]
MIDDLEWARE[MIDDLEWARE.index("django.middleware.csrf.CsrfViewMiddleware") : -1] = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "vigil.hotline.doors.console.sessions.IdleSessions",
    "vigil.hotline.doors.console.requests.PlainProblems",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
MIDDLEWARE += [
    "vigil.hotline.doors.console.needtoknow.NeedToKnow",
    "vigil.hotline.doors.console.child_desk.ChildDeskOnly",
    "vigil.hotline.doors.console.reads.ReadsAreLogged",
]
TEMPLATES = templates(
    "console",
    "django.contrib.messages.context_processors.messages",
    "vigil.hotline.doors.pages.person",
    "vigil.hotline.doors.console.navigation.rail",
    "vigil.hotline.doors.console.accounts.single_sign_on",
)

DOOR_PERSON = "vigil.hotline.access.people.signed_in"
SIGN_IN_PAGE = "account_login"
SECOND_FACTOR_PAGE = "mfa_activate_totp"
ELEVATION_PAGE = "elevate"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCESS_RULES = {
    "account_login": OpenToAll("The sign-in form."),
    "mfa_authenticate": OpenToAll("The second step of signing in; allauth lets nobody in who did not do the first."),
    "account_inactive": OpenToAll("Says that an account is closed."),
    "account_logout": SignedIn("Leaving."),
    "account_change_password": SignedIn("One's own password."),
    "account_reauthenticate": SignedIn("Proving oneself again."),
    "mfa_reauthenticate": SignedIn("Proving oneself again."),
    "mfa_index": SignedIn("One's own second factor."),
    "design:asset": OpenToAll("Style, script and mark."),
    "mfa_activate_totp": SignedIn("Setting up one's own second factor."),
    "mfa_add_webauthn": SignedIn("One's own security key."),
    "mfa_remove_webauthn": SignedIn("One's own security key."),
    "mfa_reauthenticate_webauthn": SignedIn("Proving oneself again."),
    "openid_connect_login": OpenToAll("Begins single sign-on, where the operator configured it."),
    "openid_connect_callback": OpenToAll("Ends single sign-on; lets in only people whom the operator linked."),
    "mfa_view_recovery_codes": SignedIn("One's own recovery codes."),
    "mfa_generate_recovery_codes": SignedIn("One's own recovery codes."),
}

SESSION_COOKIE_NAME = "vigil_console"
SESSION_COOKIE_AGE = 8 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
CSRF_COOKIE_NAME = "vigil_console_csrf"
CSRF_USE_SESSIONS = False
# One picture to hash at a time; the view that takes it keeps it in memory. Other views drop files unread.
DATA_UPLOAD_MAX_NUMBER_FILES = 1
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
     "OPTIONS": {"user_attributes": ("username", "display_name")}},
]  # fmt: skip
ACCOUNT_ADAPTER = "vigil.hotline.doors.console.accounts.ConsoleAccounts"
ACCOUNT_USER_MODEL_EMAIL_FIELD = None
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if PRODUCTION else "http"
MFA_ADAPTER = "vigil.hotline.access.adapters.SealedSecrets"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not PRODUCTION  # http://localhost, for looking only
MFA_FORMS = {
    "add_webauthn": "vigil.hotline.doors.console.keyforms.AddKeyForm",
    "authenticate_webauthn": "vigil.hotline.doors.console.keyforms.UseKeyForm",
    "reauthenticate_webauthn": "vigil.hotline.doors.console.keyforms.UseKeyAgainForm",
}
MFA_TOTP_ISSUER = CONFIG.name

SINGLE_SIGN_ON = CONFIG.single_sign_on
SOCIALACCOUNT_ADAPTER = "vigil.hotline.doors.console.accounts.LinkedIdentities"
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_EMAIL_REQUIRED = False
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {}
if SINGLE_SIGN_ON:
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": SINGLE_SIGN_ON.provider, "name": SINGLE_SIGN_ON.name, "client_id": SINGLE_SIGN_ON.client_id,
                "secret": KEYS.single_sign_on, "settings": {"server_url": SINGLE_SIGN_ON.issuer},
            }
        ],
    }  # fmt: skip
