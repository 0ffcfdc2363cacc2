from django.db import migrations


def fill(apps, schema_editor):
    """Until now nobody but staff could hide a review."""
    apps.get_model("catalog", "Review").objects.filter(hidden_at__isnull=False).update(hidden_reason="staff")


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_reviews_reports_days")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
