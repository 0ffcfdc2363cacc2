"""What holds for the admin pages of every app."""

import pytest
from django.contrib import admin

from marketplace.admin import SecretColumns
from mcp.models import McpServer
from tests.factories import make_prompt, make_purchase, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize(
    ("table", "query"),
    [
        ("catalog/prompt", "prompt_text__startswith=A"),
        ("catalog/prompt", "prompt_text__regex=^A"),
        ("catalog/prompt", "file_url__contains=private"),
        ("catalog/prompt", "versions__prompt_text__startswith=A"),
        ("catalog/review", "prompt__prompt_text__startswith=A"),
        ("catalog/report", "prompt__prompt_text__startswith=A"),
        ("catalog/report", "review__prompt__file_url__contains=private"),
        ("accounts/user", "password__startswith=md5"),
        ("accounts/user", "authenticator__data__contains=a"),
        ("mcp/mcpserver", "config__token=hush"),
        ("mcp/mcpserver", "config__icontains=h"),
        ("mcp/mcpserver", "metadata__icontains=h"),
        ("checkout/payment", "reference__startswith=a"),
        ("checkout/payment", "idempotency_key__startswith=a"),
        ("checkout/refund", "idempotency_key__startswith=a"),
        ("checkout/purchase", "prompt__prompt_text__startswith=A"),
        ("checkout/entitlement", "version__prompt_text__startswith=A"),
    ],
)
def test_no_filter_in_the_address_tells_what_is_hidden(staff, table, query):
    make_purchase(prompt=make_prompt(prompt_text="A text"))
    McpServer.objects.create(name="Files", endpoint="https://mcp.example.com/", config={"token": "hush"})

    assert staff.get(f"/admin/{table}/").status_code == 200
    assert staff.get(f"/admin/{table}/?{query}").status_code == 400


def test_every_table_with_something_hidden_says_so():
    hidden = {"prompt_text", "file_url", "password", "config", "idempotency_key"}
    for model, model_admin in admin.site._registry.items():
        columns = hidden & {field.name for field in model._meta.get_fields()}
        if columns:
            assert isinstance(model_admin, SecretColumns), model
            assert columns <= set(model_admin.secret_columns)
