"""All settings, read from the environment. `docs/production.md` lists every variable; the defaults run one machine."""

from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- The site and who answers for it

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. Set it to a long random text, or DEBUG=1 on your own machine."
        )
    SECRET_KEY = "debug-only-not-secret"  # noqa: S105 (refused outside debug just above)
# Keys of before: what they signed and sealed is still read, and nothing new is.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

SITE_NAME = env.str("SITE_NAME", default="")  # empty: 프롬프트장 or Promptjang, by language
SITE_URL = env.str("SITE_URL", default="http://localhost:8000").rstrip("/")
BUSINESS = {  # what Korean law asks for in the footer; marked as examples on the page until set
    "name": env.str("BUSINESS_NAME", default=""),
    "representative": env.str("BUSINESS_REPRESENTATIVE", default=""),
    "address": env.str("BUSINESS_ADDRESS", default=""),
    "phone": env.str("BUSINESS_PHONE", default=""),
    "email": env.str("BUSINESS_EMAIL", default=""),
    "registration_number": env.str("BUSINESS_REGISTRATION_NUMBER", default=""),
    "report_number": env.str("BUSINESS_REPORT_NUMBER", default=""),
    "host": env.str("BUSINESS_HOST", default=""),
    "privacy_officer": env.str("BUSINESS_PRIVACY_OFFICER", default=""),
}

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)

# --- Apps and requests

INSTALLED_APPS = [
    "marketplace",
    "accounts",
    "sellers",
    "catalog",
    "checkout",
    "mcp",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.sitemaps",
    "django.forms",
    "django_htmx",
    "template_partials",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
]

MIDDLEWARE = [
    "marketplace.middleware.TrustedProxyMiddleware",
    "mcp.middleware.RegistryApiMiddleware",
    "mcp.middleware.ShopMcpMiddleware",
    "marketplace.csp.ContentSecurityPolicyMiddleware",  # before all that may answer by itself
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "marketplace.middleware.BrokenRequestMiddleware",  # before anybody looks a cookie up
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "marketplace.middleware.SignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "marketplace.middleware.HtmxRedirectMiddleware",
    "marketplace.middleware.OwnSiteMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
]

ROOT_URLCONF = "marketplace.urls"
WSGI_APPLICATION = "marketplace.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "marketplace.context_processors.site",
            ],
        },
    },
]
FORM_RENDERER = "marketplace.forms.SiteFormRenderer"

# --- Data

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'prompt_management.db'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"] |= {
        "ENGINE": "marketplace.sqlite",
        "CONN_MAX_AGE": 60,  # seconds; the last one to close writes the whole log into the file, and waits for the disk
        "OPTIONS": {
            "timeout": 20,  # seconds a writer waits for another
            "transaction_mode": "IMMEDIATE",  # take the write lock at once: a DEFERRED one fails instead of waiting
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32000;",
        },
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL},
        "pages": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "KEY_PREFIX": "pages",
        },
    }
    SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
else:
    CACHES = {
        # Rate limits count here, so every process must see the same numbers. Django's own limit of 300 entries would
        # forget them as soon as so many people try their passwords.
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache_entries",
            "OPTIONS": {"MAX_ENTRIES": 50_000},
        },
        # Rendered fragments: one copy per process, and no write lock in a page that only reads.
        "pages": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 5000}},
    }
    SESSION_ENGINE = "django.contrib.sessions.backends.db"

MEDIA_URL = "/media/"
MEDIA_ROOT = Path(env.str("MEDIA_ROOT", default=str(BASE_DIR / "media")))
PRIVATE_ROOT = Path(env.str("PRIVATE_ROOT", default=str(BASE_DIR / "private")))


def _storage(variable: str, local: dict) -> dict:
    """`s3://bucket` in the environment, or a folder of this machine."""
    address = env.str(variable, default="")
    if not address:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": local}
    if not address.startswith("s3://"):
        raise ImproperlyConfigured(f"{variable} is “{address}”; it must be empty or s3://bucket.")
    options = {"bucket_name": address.removeprefix("s3://"), "file_overwrite": False, "querystring_auth": False}
    if variable == "PRIVATE_STORAGE":
        options |= {"default_acl": "private", "querystring_auth": True}
    return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


STORAGES = {
    "default": _storage("MEDIA_STORAGE", {"location": MEDIA_ROOT, "base_url": MEDIA_URL}),
    "private": _storage("PRIVATE_STORAGE", {"location": PRIVATE_ROOT, "base_url": None}),
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = DEBUG
IMAGE_HOSTS = env.list("IMAGE_HOSTS", default=[])  # hosts besides our own whose pictures pages may show
VIEW_FLUSH_SECONDS = 5  # how often a process writes the views it counted; 0 switches its thread off

# --- Language and time

LANGUAGE_CODE = "ko"
LANGUAGES = [("ko", _("Korean")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "marketplace.formats"
USE_TZ = True
TIME_ZONE = "Asia/Seoul"  # what pages show; code and database hold UTC

# --- People

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "accounts.passwords.UnlikeTheAddress", "OPTIONS": {"user_attributes": ["email"]}},
    {"NAME": "accounts.passwords.LongEnough", "OPTIONS": {"min_length": 10}},
    {"NAME": "accounts.passwords.Uncommon"},
    {"NAME": "accounts.passwords.NotOnlyDigits"},
]
PASSWORD_RESET_TIMEOUT = 60 * 60  # seconds
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "catalog:home"
LOGOUT_REDIRECT_URL = "catalog:home"

ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # nobody can make the site write to strangers
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS = 5
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_EMAIL_NOTIFICATIONS = True  # a mail when password, address or second factor changed
ACCOUNT_DEFAULT_HTTP_PROTOCOL = SITE_URL.partition(":")[0]
ACCOUNT_RATE_LIMITS = {  # besides allauth's own; asked by `marketplace/rate_limits.py`
    "sell_apply": "10/h/ip",
    "sell_link": "3/h/key,20/h/ip",
    "report": "20/h/user",
    "upload": "120/h/user",
    "mcp_submit": "20/d/user",
    "mcp_check": "30/h/user",
    "mcp_denied": "60/m/ip",
    "token_make": "20/h/user",
    "mcp_try": "60/h/user",
}
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {
    "add_email": "accounts.forms.ChangeAddressForm",
    "change_password": "accounts.forms.ChangePasswordForm",
    "confirm_email_verification_code": "accounts.forms.ConfirmCodeForm",
    "login": "accounts.forms.LoginForm",
    "reauthenticate": "accounts.forms.ReauthenticateForm",
    "reset_password": "accounts.forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.forms.ResetPasswordKeyForm",
    "set_password": "accounts.forms.SetPasswordForm",
    "signup": "accounts.forms.SignupForm",
}
MFA_ADAPTER = "accounts.adapter.MFAAdapter"
MFA_FORMS = {
    "activate_totp": "accounts.forms.ActivateAppForm",
    "authenticate": "accounts.forms.AuthenticateForm",
    "reauthenticate": "accounts.forms.ReauthenticateByCodeForm",
    "add_webauthn": "accounts.forms.AddPasskeyForm",
    "edit_webauthn": "accounts.forms.RenamePasskeyForm",
    "signup_webauthn": "accounts.forms.SignupPasskeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_PASSKEY_SIGNUP_ENABLED = True
MFA_TOTP_TOLERANCE = 1  # a code stays good for one step more: clocks and typing are slow
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
USERSESSIONS_TRACK_ACTIVITY = False  # it would write in every page; the list shows when each session began

# --- Mail

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Promptjang <no-reply@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Payments

TOSS_CLIENT_KEY = env.str("TOSS_CLIENT_KEY", default="").strip()
TOSS_SECRET_KEY = env.str("TOSS_SECRET_KEY", default="").strip()
TOSS_API_URL = env.str("TOSS_API_URL", default="https://api.tosspayments.com").rstrip("/")
TOSS_SDK_URL = env.str("TOSS_SDK_URL", default="https://js.tosspayments.com/v2/standard")
TOSS_TIMEOUT_S = env.int("TOSS_TIMEOUT_S", default=60)  # the provider's own limit for a charge
TOSS_SANDBOX = env.bool("TOSS_SANDBOX", default=False)  # the sandbox outside debug, switched on by name
TOSS_SANDBOX_SLOW_S = env.int("TOSS_SANDBOX_SLOW_S", default=8)  # how long its “slow” answer takes

PLATFORM_FEE_BP = env.int("PLATFORM_FEE_BP", default=1000)  # basis points of a third-party seller's price
BACKGROUND_THREADS = env.int("BACKGROUND_THREADS", default=4)  # a web process; 0: the request does it all by itself

# --- The registry of MCP servers

MCP_CHECK_INTERVAL_S = env.int("MCP_CHECK_INTERVAL_S", default=15 * 60)  # what is older than three of them is stale
MCP_CHECK_DEADLINE_S = env.float("MCP_CHECK_DEADLINE_S", default=15.0)  # for all that one check asks of a server
MCP_HOST_SPACING_S = env.float("MCP_HOST_SPACING_S", default=1.0)  # between the beginnings of two checks at one host
MCP_SLOW_MS = env.int("MCP_SLOW_MS", default=2_000)  # a first answer later than this is shown as slow
# Networks to reach besides public ones, such as 10.0.0.0/8. In debug this machine, for `run_demo_mcp_server`.
MCP_ALLOW_ADDRESSES = env.list("MCP_ALLOW_ADDRESSES", default=["127.0.0.1/32"] if DEBUG else [])

# --- What browsers may do

SECURE_CSP = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:", *IMAGE_HOSTS],  # data: for the QR code of the second factor
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "frame-ancestors": ["'none'"],
    "form-action": ["'self'"],
}


def _payment_page_csp(sdk_url: str) -> dict:
    """The policy of the page that opens the payment window: what the SDK's own origin needs, and no page besides.

    Toss publishes no list; these are the hosts that shops have seen it use. An SDK from elsewhere, a stand-in, gets its
    own origin for everything and none of Toss.
    """
    parts = urlsplit(sdk_url)
    origin = f"{parts.scheme}://{parts.netloc}"
    hosts, pictures = [origin], [origin]
    if parts.hostname and parts.hostname.endswith(".tosspayments.com"):
        hosts = ["https://*.tosspayments.com", "https://*.toss.im"]
        pictures = ["https://*.tosspayments.com", "https://static.toss.im"]
    return SECURE_CSP | {
        "script-src": ["'self'", origin],
        "style-src": ["'self'"],
        "connect-src": ["'self'", *hosts],
        "frame-src": hosts,
        "img-src": [*SECURE_CSP["img-src"], *pictures],
        "form-action": ["'self'", *hosts],
    }


TOSS_CSP = _payment_page_csp(TOSS_SDK_URL)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30  # seconds
SESSION_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "marketplace.views.csrf_failure"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"  # no session, no write, for a visitor

if SITE_URL.startswith("https://"):
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=60 * 60 * 24 * 365)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=True)
    SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=True)

DEFAULT_EXCEPTION_REPORTER = "marketplace.logs.SafeReporter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"links": {"()": "marketplace.logs.HideLinks"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["links"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"handlers": []},  # its own would print every line a second time
        "urllib3": {"level": "ERROR"},  # below that it prints paths, which hold payment keys, and headers of strangers
    },
}
