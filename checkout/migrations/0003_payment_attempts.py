"""Each attempt to pay gets an order id of its own at the provider, and room for deposits and charges given back."""

from django.db import migrations, models


def number_attempts(apps, schema_editor):
    """The attempt that was charged keeps the order's number, as the provider knows it; others get `<number>_<n>`."""
    Payment = apps.get_model("checkout", "Payment")
    SandboxPayment = apps.get_model("checkout", "SandboxPayment")
    sent = ["confirming", "waiting", "paid", "cancelled"]
    taken = set()
    for is_sent in (True, False):
        payments = Payment.objects.select_related("order").order_by("order_id", "requested_at", "pk")
        payments = payments.filter(status__in=sent) if is_sent else payments.exclude(status__in=sent)
        for payment in payments.iterator():
            name, n = payment.order.number, 1
            while name in taken:
                n += 1
                name = f"{payment.order.number}_{n}"
            taken.add(name)
            Payment.objects.filter(pk=payment.pk).update(provider_order_id=name)
            SandboxPayment.objects.filter(reference=payment.reference).update(order_id=name)


class Migration(migrations.Migration):
    atomic = True
    dependencies = [("checkout", "0002_orders_and_library")]

    operations = [
        migrations.RenameField("sandboxpayment", "order_number", "order_id"),
        migrations.AddField(
            "payment", "provider_order_id", models.CharField(max_length=64, null=True, verbose_name="order number at the provider")
        ),
        migrations.RunPython(number_attempts, migrations.RunPython.noop),
    ]
