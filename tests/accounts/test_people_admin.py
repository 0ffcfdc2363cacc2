import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from checkout.models import Purchase
from marketplace.roles import ROLE_NAMES
from tests.factories import NOON, make_prompt, make_staff, make_user

pytestmark = pytest.mark.django_db

LIST = "/admin/accounts/user/"


@pytest.fixture
def boss():
    return make_user(email="boss@example.com", is_staff=True, is_superuser=True)


@pytest.fixture
def admin(boss):
    client = Client(headers={"accept-language": "en"})
    client.force_login(boss)
    return client


@pytest.fixture
def helper():
    """Staff who may change accounts and nothing more."""
    user = make_user(email="helper@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user", "change_profile"]))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def act(client, action, *users):
    return client.post(LIST, {"action": action, "_selected_action": [user.pk for user in users]}, follow=True)


@pytest.mark.parametrize("words", ["mina@exam", "Mina the", "abcde12345"])
def test_people_are_found_by_address_nickname_and_handle(admin, words):
    make_user(email="mina@example.com", nickname="Mina the tea", handle="abcde12345")

    page = admin.get(LIST, {"q": words})

    assert [row.email for row in page.context["cl"].result_list] == ["mina@example.com"]


@pytest.mark.parametrize("count", [1, 30])
def test_the_list_costs_the_same_however_many_people(admin, count, django_assert_num_queries):
    for _ in range(count):
        make_user()
    admin.get(LIST)

    with django_assert_num_queries(7):
        admin.get(LIST)


def test_neither_password_nor_keys_are_shown(admin):
    user = make_user(email="mina@example.com")
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "JBSWY3DPEHPK3PXP"})

    page = admin.get(f"{LIST}{user.pk}/change/")

    assert page.status_code == 200
    assert user.password not in page.text
    assert "JBSWY3DPEHPK3PXP" not in page.text
    for path in ["/admin/mfa/authenticator/", "/admin/usersessions/usersession/", "/admin/account/emailaddress/"]:
        assert admin.get(path).status_code == 404


def test_accounts_are_switched_off_and_on_again(admin):
    user = make_user()

    off = act(admin, "switch_off", user)
    user.refresh_from_db()
    assert not user.is_active
    on = act(admin, "switch_on", user)
    user.refresh_from_db()
    assert user.is_active

    assert "1 account was changed." in off.text
    assert "1 account was changed." in on.text
    assert "0 accounts were changed." in act(admin, "switch_on", user).text


def test_nobody_switches_themselves_off(admin, boss):
    act(admin, "switch_off", boss)

    boss.refresh_from_db()
    assert boss.is_active


def test_a_deleted_account_stays_off(admin):
    user = make_user(is_active=False, deleted_at=NOON)

    act(admin, "switch_on", user)

    user.refresh_from_db()
    assert not user.is_active


def test_nobody_is_deleted_or_added(admin):
    user = make_user()
    Purchase.objects.create(buyer=user, prompt=make_prompt(), payment_order_id="order-1")

    assert admin.post(f"{LIST}{user.pk}/delete/", {"post": "yes"}).status_code == 403
    assert act(admin, "delete_selected", user).status_code == 200
    assert admin.get(f"{LIST}add/").status_code == 403
    assert User.objects.filter(pk=user.pk).exists()


def test_a_nickname_can_be_taken_away_and_a_lost_device_removed(admin):
    user = make_user(nickname="Rude")
    device = Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "x"})
    page = admin.get(f"{LIST}{user.pk}/change/")
    data = {"is_active": "on"}
    for formset in page.context["inline_admin_formsets"]:
        prefix, forms = formset.formset.prefix, formset.formset.initial_forms
        data |= {f"{prefix}-TOTAL_FORMS": len(forms), f"{prefix}-INITIAL_FORMS": len(forms)}
    data |= {"profile-0-user": user.pk, "profile-0-nickname": ""}
    data |= {
        "authenticator_set-0-id": device.pk,
        "authenticator_set-0-user": user.pk,
        "authenticator_set-0-DELETE": "on",
    }

    answered = admin.post(f"{LIST}{user.pk}/change/", data)

    assert answered.status_code == 302, answered.context["errors"]
    user.profile.refresh_from_db()
    assert not user.profile.nickname
    assert user.authenticator_set.count() == 0


def test_staff_without_all_rights_hand_out_none(helper):
    user = make_user()

    helper.post(f"{LIST}{user.pk}/change/", {"is_active": "on", "is_staff": "on", "is_superuser": "on"})

    user.refresh_from_db()
    assert (user.is_staff, user.is_superuser) == (False, False)


def test_staff_without_all_rights_do_not_switch_a_superuser_off(helper, boss):
    act(helper, "switch_off", boss)

    boss.refresh_from_db()
    assert boss.is_active


def test_a_shopper_sees_nothing_of_it(visitor):
    visitor.force_login(make_user())

    assert visitor.get(LIST).status_code == 302


def test_the_admin_changes_passwords_on_the_sites_own_page(admin, visitor):
    assert admin.get("/admin/password_change/")["Location"] == "/accounts/password/change/"
    assert visitor.get("/admin/password_change/")["Location"].startswith("/accounts/login/")


def test_a_nickname_is_held_to_the_same_rules(admin):
    user = make_user(nickname="Mina")
    rows = {"profile": 1, "emailaddress_set": 1, "authenticator_set": 0}
    data = {"is_active": "on", "profile-0-user": user.pk, "profile-0-nickname": "m\u202ena"}
    data |= {f"{name}-{part}_FORMS": count for name, count in rows.items() for part in ("TOTAL", "INITIAL")}

    page = admin.post(f"{LIST}{user.pk}/change/", data)

    assert page.status_code == 200
    assert "cannot be seen" in page.text


def test_roles_are_named_in_words(client, monkeypatch):
    make_staff("support")  # puts the groups back where another test emptied every table
    monkeypatch.setitem(ROLE_NAMES, "support", "고객 지원")
    client.force_login(make_user(is_staff=True, is_superuser=True))

    page = client.get(f"/admin/accounts/user/{make_user().pk}/change/")

    names = {name for _key, name in page.context["adminform"].form.fields["groups"].choices}
    assert "고객 지원" in names
    assert "support" not in names
