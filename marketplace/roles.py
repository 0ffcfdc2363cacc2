"""The groups of staff. Each app's migration gives them what they need of its tables; `docs/staff.md` lists it."""

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

WAITLIST, CATALOGUE, SUPPORT, FINANCE = "waitlist staff", "catalogue staff", "support", "finance"
ROLES = (WAITLIST, CATALOGUE, SUPPORT, FINANCE)
ROLE_NAMES = {
    WAITLIST: _("waitlist staff"),
    CATALOGUE: _("catalogue staff"),
    SUPPORT: _("support"),
    FINANCE: _("finance"),
}


def grant(apps, *, app_label: str, permissions: dict[str, Iterable[str]]) -> None:
    """For migrations: give groups permissions of one app, and make both where they are missing. Safe to repeat.

    Django makes permissions only after the last migration, so a migration that needs them makes them itself.
    permissions: {role: ["view_order", …]}.
    """
    group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    content_type_model = apps.get_model("contenttypes", "ContentType")
    for role, codenames in permissions.items():
        group, _is_new = group_model.objects.get_or_create(name=role)
        for codename in codenames:
            verb, _sep, model_name = codename.rpartition("_")
            model_name = "prompt" if codename == "read_prompt_text" else model_name
            options = apps.get_model(app_label, model_name)._meta
            name = dict(options.permissions).get(codename, f"Can {verb} {options.verbose_name}")
            content_type, _is_new = content_type_model.objects.get_or_create(app_label=app_label, model=model_name)
            permission, _is_new = permission_model.objects.get_or_create(
                content_type=content_type, codename=codename, defaults={"name": name}
            )
            group.permissions.add(permission)


def revoke(apps, *, app_label: str, permissions: dict[str, Iterable[str]]) -> None:
    """The other way round; groups stay, because people may be in them."""
    permission_model = apps.get_model("auth", "Permission")
    for role, codenames in permissions.items():
        for group in apps.get_model("auth", "Group").objects.filter(name=role):
            found = permission_model.objects.filter(content_type__app_label=app_label, codename__in=list(codenames))
            group.permissions.remove(*found)
