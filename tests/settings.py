"""The site's own settings under an environment that no developer's shell can change, with what tests need besides."""

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

_OURS = re.compile(
    "(TOSS|MCP|BUSINESS|PLATFORM|BACKGROUND|SITE|MEDIA|PRIVATE|EMAIL|SECURE|ALLOWED|CSRF|REDIS|TRUSTED)_"
)
for _name in [name for name in os.environ if _OURS.match(name)]:
    del os.environ[_name]

_folder = Path(tempfile.mkdtemp(prefix="marketplace-tests-"))  # one for every test process
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
for _name in ("media", "private", "static"):
    (_folder / _name).mkdir()

os.environ |= {
    "DEBUG": "0",
    "SECRET_KEY": "only-for-tests",
    "ALLOWED_HOSTS": "testserver,localhost,127.0.0.1",
    "MEDIA_ROOT": str(_folder / "media"),
    "PRIVATE_ROOT": str(_folder / "private"),
    "STATIC_ROOT": str(_folder / "static"),
    "TOSS_SANDBOX": "1",
    "TOSS_SANDBOX_SLOW_S": "0",
    "BACKGROUND_THREADS": "0",  # whatever an answer does not wait for has happened when it comes
    "EMAIL_URL": "memorymail://",
    "LOG_LEVEL": "ERROR",
    # Playwright keeps an event loop open for the whole session, and Django would refuse the database beside it.
    "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
}

from marketplace.settings import *  # noqa: E402, F403
from marketplace.settings import CACHES, DATABASES, STORAGES  # noqa: E402

if DATABASES["default"]["ENGINE"] == "marketplace.sqlite":
    DATABASES["default"]["TEST"] = {"NAME": ":memory:"}  # pytest-django knows that of Django's own backend only

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast, and never seen outside of tests
CACHES = {name: {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name} for name in CACHES}
# The manifest needs collectstatic first; tests/test_setup tries that once.
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True  # the live server speaks plain HTTP
VIEW_FLUSH_SECONDS = 0  # tests flush by themselves
