"""People in the admin: found, looked at, switched off and on. Nobody is added or deleted here.

People sign up themselves, and delete their accounts themselves; orders keep pointing at what is left.
"""

import allauth.account.admin
import allauth.mfa.admin
import allauth.usersessions.admin  # noqa: F401 (the three register themselves; what they show is undone below)
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import Profile, User
from accounts.profiles import NicknameRefused, clean_nickname
from marketplace.admin import SecretColumns
from marketplace.roles import ROLE_NAMES

# They would show secrets of second factors and session keys, and let staff confirm addresses by hand.
admin.site.unregister([EmailAddress, Authenticator, UserSession])


class ReadOnlyInline(admin.TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


class ProfileForm(forms.ModelForm):
    class Meta:
        model = Profile
        fields = ["nickname"]
        widgets = {"nickname": AdminTextInputWidget}

    def clean_nickname(self):
        try:
            return clean_nickname(self.cleaned_data["nickname"] or "")
        except NicknameRefused as refused:
            raise forms.ValidationError(str(refused)) from None


class ProfileInline(admin.StackedInline):
    """An offensive nickname can be taken away here; the picture is the person's own."""

    model = Profile
    form = ProfileForm
    fields = ["nickname", "avatar_url", "updated_at"]
    readonly_fields = ["avatar_url", "updated_at"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request, obj=None):
        return False


class EmailAddressInline(ReadOnlyInline):
    """Seen by whoever sees the person; the table is another package's, and no role needs more of it."""

    model = EmailAddress
    fields = ["email", "verified", "primary"]
    verbose_name_plural = _("E-mail addresses")

    def has_view_permission(self, request, obj=None):
        return request.user.has_perm("accounts.view_user") or request.user.has_perm("accounts.change_user")


class AuthenticatorInline(ReadOnlyInline):
    """Staff may remove a lost device, and never see its key."""

    model = Authenticator
    fields = ["kind", "added_at", "used_at"]
    readonly_fields = fields
    can_delete = True
    verbose_name_plural = _("Second factors")

    @admin.display(description=_("kind"))
    def kind(self, authenticator):
        return authenticator.get_type_display()

    @admin.display(description=_("added"))
    def added_at(self, authenticator):
        return authenticator.created_at

    @admin.display(description=_("last used"))
    def used_at(self, authenticator):
        return authenticator.last_used_at

    def has_change_permission(self, request, obj=None):
        return request.user.has_perm("accounts.change_user")

    def has_delete_permission(self, request, obj=None):
        return request.user.has_perm("accounts.change_user")


@admin.register(User)
class UserAdmin(SecretColumns, admin.ModelAdmin):
    secret_columns = ("password",)
    list_display = ["email", "nickname", "is_active", "is_staff", "date_joined", "last_login"]
    list_filter = ["is_active", "is_staff", ("deleted_at", admin.EmptyFieldListFilter)]
    list_select_related = ["profile"]
    search_fields = ["email", "handle", "profile__nickname"]
    date_hierarchy = "date_joined"
    ordering = ["-date_joined", "pk"]
    actions = ["switch_off", "switch_on"]
    inlines = [ProfileInline, EmailAddressInline, AuthenticatorInline]
    fieldsets = [
        (None, {"fields": ["email", "id", "public_page", "date_joined", "last_login", "deleted_at", "is_active"]}),
        (_("Rights"), {"fields": ["is_staff", "is_superuser", "groups", "user_permissions"]}),
    ]
    readonly_fields = ["email", "id", "public_page", "date_joined", "last_login", "deleted_at"]
    filter_horizontal = ["groups", "user_permissions"]

    def formfield_for_manytomany(self, db_field, request, **kwargs):
        """The roles, which migrations made, in the language of the page."""
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if db_field.name == "groups":
            field.label_from_instance = lambda group: str(ROLE_NAMES.get(group.name, group.name))
        return field

    @admin.display(description=_("nickname"), ordering="profile__nickname")
    def nickname(self, user):
        return user.profile.nickname if hasattr(user, "profile") else None

    @admin.display(description=_("public page"))
    def public_page(self, user):
        address = reverse("accounts:profile_detail", args=[user.handle])
        return format_html('<a href="{}">{}</a>', address, address)

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def get_readonly_fields(self, request, obj=None):
        """Only a superuser hands out rights or touches another superuser; a deleted account stays switched off."""
        fields = [*self.readonly_fields]
        if not request.user.is_superuser:
            fields += ["is_staff", "is_superuser", "groups", "user_permissions"]
        if obj and (obj.deleted_at or obj == request.user or (obj.is_superuser and not request.user.is_superuser)):
            fields.append("is_active")
        return fields

    @admin.action(description=_("Switch the chosen accounts off"), permissions=["change"])
    def switch_off(self, request, queryset):
        """Sessions end with it: an account that is off is nobody to the site."""
        users = queryset.filter(is_active=True).exclude(pk=request.user.pk)
        self._switch(request, users if request.user.is_superuser else users.filter(is_superuser=False), is_active=False)

    @admin.action(description=_("Switch the chosen accounts on"), permissions=["change"])
    def switch_on(self, request, queryset):
        self._switch(request, queryset.filter(is_active=False, deleted_at__isnull=True), is_active=True)

    def _switch(self, request, users, *, is_active):
        users = list(users)
        for user in users:
            user.is_active = is_active
            user.save(update_fields=["is_active"])
            self.log_change(request, user, [{"changed": {"fields": ["is_active"]}}])
        count = len(users)
        text = ngettext("%(count)d account was changed.", "%(count)d accounts were changed.", count) % {"count": count}
        self.message_user(request, text, messages.SUCCESS if count else messages.INFO)
