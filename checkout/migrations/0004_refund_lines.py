"""A refund may cover several lines of an order, or a whole charge: what it covers moves to a table of its own."""

import django.db.models.deletion
from django.db import migrations, models


def move_lines(apps, schema_editor):
    Refund = apps.get_model("checkout", "Refund")
    RefundLine = apps.get_model("checkout", "RefundLine")
    for refund in Refund.objects.select_related("order_line").iterator():
        RefundLine.objects.create(
            refund=refund,
            order_line=refund.order_line,
            amount_krw=refund.amount_krw,
            is_live=refund.status != "failed",
        )
        Refund.objects.filter(pk=refund.pk).update(order_id=refund.order_line.order_id)


class Migration(migrations.Migration):
    dependencies = [("checkout", "0003_payment_attempts")]

    operations = [
        migrations.CreateModel(
            name="RefundLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount_krw", models.IntegerField(verbose_name="amount")),
                ("is_live", models.BooleanField(default=True, verbose_name="counts")),
                (
                    "order_line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund_lines",
                        to="checkout.orderline",
                        verbose_name="order line",
                    ),
                ),
                (
                    "refund",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="checkout.refund",
                        verbose_name="refund",
                    ),
                ),
            ],
            options={
                "verbose_name": "refunded line",
                "verbose_name_plural": "refunded lines",
                "db_table": "refund_lines",
            },
        ),
        migrations.AddField(
            "refund",
            "order",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="refunds",
                to="checkout.order",
                verbose_name="order",
            ),
        ),
        migrations.RunPython(move_lines, migrations.RunPython.noop),
    ]
