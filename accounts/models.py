"""People: who signs in (`users`) and how they appear to others (`profiles`)."""

import secrets
import uuid
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.files.storage import default_storage
from django.db import models, transaction
from django.db.models.functions import Lower
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

AVATAR_FOLDER = "avatars/"


def make_handle() -> str:
    """The public name of an account in addresses: random, never derived from the key."""
    return secrets.token_hex(5)


class UserManager(BaseUserManager):
    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields) -> "User":
        """An account with its empty profile. `email` is stored in lower case."""
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        with transaction.atomic(using=self._db):
            user.save(using=self._db)
            Profile.objects.using(self._db).get_or_create(user=user)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields) -> "User":
        """Somebody who may do everything, with a verified address: whoever runs the command needs no mailed code."""
        with transaction.atomic(using=self._db):
            user = self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})
            user.emailaddress_set.create(email=user.email, verified=True, primary=True)
        return user

    def get_by_natural_key(self, email: str) -> "User":
        return self.get(email=email.strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """An account. It signs in by e-mail; what others see of it is its `Profile`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(_("e-mail address"), unique=True)
    handle = models.CharField(max_length=32, unique=True, default=make_handle, editable=False)
    is_staff = models.BooleanField(_("staff"), default=False, help_text=_("May sign in to the administration."))
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)
    deleted_at = models.DateTimeField(_("deleted at"), null=True, blank=True, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    objects = UserManager()

    class Meta:
        db_table = "users"
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [models.UniqueConstraint(Lower("email"), name="users_email_is_unique_in_any_case")]

    def __str__(self):
        return self.email

    @property
    def display_name(self) -> str:
        """What others call this person. Load it with `select_related("profile")`."""
        if self.deleted_at:
            return _("Former member")
        return self.profile.display_name if hasattr(self, "profile") else _("Shopper")


class Profile(models.Model):
    """How a person appears to others. Source: schema document, table `profiles`; `id` is the user's id."""

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, db_column="id", db_constraint=False, related_name="profile"
    )
    nickname = models.TextField(_("nickname"), null=True, blank=True)
    avatar_url = models.TextField(_("avatar"), null=True, blank=True)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now, null=True)

    class Meta:
        db_table = "profiles"
        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        indexes = [models.Index(fields=["user"], name="idx_profiles_id")]

    def __str__(self):
        return f"{self.display_name} ({self.pk})"

    def get_absolute_url(self):
        return reverse("accounts:profile_detail", args=[self.user.handle])

    @property
    def display_name(self) -> str:
        return self.nickname or _("Shopper")

    @property
    def avatar_name(self) -> str:
        """The avatar's name in the default storage; empty where there is none, or where it lies on another host."""
        folder_url = default_storage.url(AVATAR_FOLDER)
        url = self.avatar_url or ""
        return AVATAR_FOLDER + url.removeprefix(folder_url) if url.startswith(folder_url) else ""

    @property
    def shown_avatar_url(self) -> str:
        """The avatar's address where pages may show it; empty otherwise, so that the initial stands in its place.

        Other programs may have written addresses of hosts that our Content-Security-Policy does not let in.
        """
        url = self.avatar_url or ""
        allowed = {host.removeprefix("https://") for host in settings.IMAGE_HOSTS}
        is_foreign_but_allowed = url.startswith("https://") and urlsplit(url).netloc in allowed
        return url if self.avatar_name or is_foreign_but_allowed else ""


class ApiTokenQuerySet(models.QuerySet):
    def live(self):
        return self.filter(revoked_at__isnull=True)


class ApiToken(models.Model):
    """A key with which a program acts for its owner. `tokens.py` makes, finds and revokes it; the row keeps a hash."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False)  # SHA-256 of the whole token, hex
    ending = models.CharField(max_length=4, editable=False)  # its last characters, so that its owner can tell it
    form_key = models.UUIDField(null=True, editable=False)  # of the form that made it, which makes no other
    created_at = models.DateTimeField(_("made at"), default=timezone.now)
    last_used_at = models.DateTimeField(_("last used at"), null=True, blank=True)
    # How often it was used in one minute, counted since 1970: in the row, so that one statement asks and counts.
    counted_minute = models.IntegerField(default=0, editable=False)
    call_count = models.IntegerField(default=0, editable=False)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "api_tokens"
        verbose_name = _("access token")
        verbose_name_plural = _("access tokens")
        indexes = [models.Index(fields=["user", "-created_at"], name="idx_api_tokens_user")]
        constraints = [models.UniqueConstraint(fields=["user", "form_key"], name="api_tokens_one_form_makes_one_token")]

    def __str__(self):
        return f"{self.name} (…{self.ending})"
