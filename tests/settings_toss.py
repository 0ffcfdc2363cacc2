"""For processes that a test starts on a real database: the site as it runs, with the stand-in as its provider.

The test hands over where things are: STAND_IN_URL and STAND_IN_KEYS (client and secret key, a space between), and
STAND_IN_MAIL, the folder in which each mail that goes out becomes a file.
"""

import os

from tests.settings import *  # noqa: F403
from tests.settings import LOGGING

TOSS_SANDBOX = False
TOSS_API_URL = os.environ["STAND_IN_URL"]
TOSS_CLIENT_KEY, TOSS_SECRET_KEY = os.environ["STAND_IN_KEYS"].split()
TOSS_TIMEOUT_S = 20
BACKGROUND_THREADS = 4
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = os.environ["STAND_IN_MAIL"]
LOGGING = LOGGING | {"root": LOGGING["root"] | {"level": "WARNING"}}
