"""Values that somebody keeps for a prompt of theirs, under names. Nobody else sees them, staff neither."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.exports import format_moment
from catalog.variables import make_key
from checkout.models import Entitlement, Preset

MAX_PRESETS = 20  # a person's, of one prompt
MAX_PRESET_LENGTH = 50_000  # characters of all values together


class PresetRefused(Exception):
    """The message is written for the person."""


def list_presets(*, entitlement: Entitlement) -> list[Preset]:
    """The owner's presets of this prompt by name, without their values."""
    presets = Preset.objects.filter(user_id=entitlement.user_id, prompt_id=entitlement.prompt_id)
    return list(presets.defer("values").order_by("name", "pk"))


def find_preset(*, entitlement: Entitlement, preset_id: int) -> Preset | None:
    return Preset.objects.filter(pk=preset_id, user_id=entitlement.user_id, prompt_id=entitlement.prompt_id).first()


def save_preset(*, entitlement: Entitlement, name: str, values: Mapping[str, str], now: datetime) -> Preset:
    """Keep these values under this name; what the name held before is gone. Raises PresetRefused.

    values: by variable, empty ones left out.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name:
        raise PresetRefused(_("Give it a name first."))
    if sum(map(len, values.values())) > MAX_PRESET_LENGTH:
        raise PresetRefused(_("Together these values are too long to be saved."))
    with transaction.atomic():
        # Nobody saves for the same right meanwhile, so the count holds.
        Entitlement.objects.select_for_update(no_key=True).filter(pk=entitlement.pk).values("pk").first()
        presets = Preset.objects.filter(user_id=entitlement.user_id, prompt_id=entitlement.prompt_id)
        if not presets.filter(name=name).exists() and presets.count() >= MAX_PRESETS:
            text = _("You have %(count)d already. Delete one, or save under one of their names.")
            raise PresetRefused(text % {"count": MAX_PRESETS})
        kept = {make_key(variable): value for variable, value in values.items()}
        preset, _is_new = presets.update_or_create(
            name=name,
            defaults={"values": kept, "saved_at": now},
            create_defaults={
                "user_id": entitlement.user_id,
                "prompt_id": entitlement.prompt_id,
                "values": kept,
                "saved_at": now,
            },
        )
    return preset


def delete_preset(*, entitlement: Entitlement, preset_id: int) -> None:
    """A second call finds nothing to delete."""
    Preset.objects.filter(pk=preset_id, user_id=entitlement.user_id, prompt_id=entitlement.prompt_id).delete()


def export_presets(user) -> list[dict]:
    presets = user.presets.select_related("prompt").order_by("prompt__title", "name", "pk")
    return [
        {
            "prompt": preset.prompt.title,
            "name": preset.name,
            "values": preset.values,
            "saved_at": format_moment(preset.saved_at),
        }
        for preset in presets
    ]


def forget_presets(*, user) -> None:
    user.presets.all().delete()
