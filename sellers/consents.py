"""The wording that applicants agree to, with its version. A text and its version change together; old rows keep theirs.

How long: `applications.py` deletes by it, and the privacy policy says the same.
"""

from django.utils.translation import gettext_lazy as _

from marketplace.consents import Wording

APPLICATION = Wording(
    "application",
    "2026-11",
    _(
        "I agree that my name, e-mail address, link, categories and message are kept to decide on my application and "
        "to answer me: until the decision and one year after it."
    ),
    "marketplace:privacy",
    _("Privacy policy"),
)
