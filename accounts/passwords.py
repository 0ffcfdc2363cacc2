"""Django's rules for passwords, refused in our words."""

from django.contrib.auth import password_validation
from django.utils.translation import gettext as _


class LongEnough(password_validation.MinimumLengthValidator):
    def get_error_message(self):
        return _("Take at least %(count)d characters.") % {"count": self.min_length}


class UnlikeTheAddress(password_validation.UserAttributeSimilarityValidator):
    def get_error_message(self):
        return _("This is too close to your %(verbose_name)s.")


class Uncommon(password_validation.CommonPasswordValidator):
    def get_error_message(self):
        return _("Too many people use this password. Take another one.")


class NotOnlyDigits(password_validation.NumericPasswordValidator):
    def get_error_message(self):
        return _("Digits alone are guessed quickly. Add letters.")
