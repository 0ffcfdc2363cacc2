"""How long applications and mails are kept: as the consent says (`consents.py`), and no longer than their account."""

from datetime import datetime

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.models import User
from sellers.addresses import is_sent_by
from sellers.application_links import LINK_LIVES
from sellers.models import SellerApplication, SellerMail

BATCH = 500  # rows deleted in one transaction


def delete_old_applications(*, now: datetime, is_dry_run: bool = False) -> int:
    """Delete applications a year after their decision, with case, history and mails. The number of applications.

    Of an accepted one nothing is needed any more but the seller it led to, who stays with name, language and address of
    the page. Whoever was accepted and never came to sell applies anew. What nobody has decided stays.
    """
    if is_dry_run:
        return find_old_applications(now=now).count()
    count = 0
    while keys := list(find_old_applications(now=now).values_list("pk", flat=True)[:BATCH]):
        count += _delete(find_old_applications(now=now).filter(pk__in=keys))
    return count


def find_old_applications(*, now: datetime) -> QuerySet[SellerApplication]:
    """Decided a year ago or longer. Nobody knows when another program decided: there the year begins with applying."""
    year_ago = a_year_before(now)
    decided = Q(case__decided_at__lte=year_ago)
    decided_elsewhere = Q(case__decided_at__isnull=True, created_at__lte=year_ago)
    return SellerApplication.objects.filter(decided | decided_elsewhere, processed=True)


def a_year_before(moment: datetime) -> datetime:
    """The same day of the year before; of 29 February it is the 28th."""
    if (moment.month, moment.day) == (2, 29):
        moment = moment.replace(day=28)
    return moment.replace(year=moment.year - 1)


def empty_old_mails(*, now: datetime, is_dry_run: bool = False) -> int:
    """Forget what mails to sellers said once their links have ended: 90 days after they were queued. How many.

    The rows stay, because their keys keep anything from being mailed twice. What still waits keeps its words.
    """
    old = SellerMail.objects.filter(queued_at__lte=now - LINK_LIVES).exclude(status=SellerMail.Status.QUEUED)
    old = old.exclude(context={})
    return old.count() if is_dry_run else old.update(context={})


def forget_applicant(*, user: User) -> None:
    """With an account goes every application sent with a confirmed address of it, decided or not: the consent ends.

    So do mails to the person as a seller; the seller stays for the records of buyers. Belongs into the transaction that
    erases the account, while it still has its addresses. A second call finds nothing.
    """
    _delete(SellerApplication.objects.filter(is_sent_by(user)))
    SellerMail.objects.filter(seller__user=user).delete()


def _delete(applications: QuerySet[SellerApplication]) -> int:
    """Of what the admin wrote down it stays that somebody of staff acted, and not about whom or why."""
    with transaction.atomic():
        keys = list(applications.values_list("pk", flat=True))
        of_applications = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(SellerApplication))
        of_applications.filter(object_id__in=map(str, keys)).update(object_repr="–", change_message="")
        _rows, deleted = applications.filter(pk__in=keys).delete()
    return deleted.get(SellerApplication._meta.label, 0)
