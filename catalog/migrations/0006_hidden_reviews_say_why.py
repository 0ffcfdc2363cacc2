from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("catalog", "0005_fill_why_reviews_are_hidden")]

    operations = [
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('hidden_at__isnull', True), ('hidden_reason', '')), models.Q(('hidden_at__isnull', False), ('hidden_reason__in', ['staff', 'refunded'])), _connector='OR'), name='reviews_hidden_ones_say_why'),
        ),
    ]
