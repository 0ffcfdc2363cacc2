"""Mails as rows: written in the transaction that made them necessary, sent after its commit, once.

Each table of mails is a model below `QueuedMail`, because each hangs on other rows; how a row becomes a mail is the
same for all of them and stands here. What a stopped process or a failing mail server left, `send_waiting` sends.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta

from django.core.mail import EmailMultiAlternatives
from django.db import models
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

logger = logging.getLogger(__name__)

TRIES = 5
TRY_AGAIN_AFTER = timedelta(minutes=1)

_is_muted = ContextVar("is_muted", default=False)


class QueuedMail(models.Model):
    """One mail. `key` names what it is about, so that nothing is queued twice.

    A mail left `sending` by a crash may have gone out, so nobody but staff sends it again.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("to be sent")
        SENDING = "sending", _("being sent")
        SENT = "sent", _("sent")
        FAILED = "failed", _("not sent")

    key = models.CharField(max_length=80, unique=True, editable=False)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.QUEUED)
    try_count = models.IntegerField(_("tries"), default=0)
    queued_at = models.DateTimeField(_("queued at"), default=timezone.now)
    tried_at = models.DateTimeField(_("tried at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self):
        return self.key


@contextmanager
def muted() -> Iterator[None]:
    """Nothing is queued inside: for made-up people with made-up addresses."""
    token = _is_muted.set(True)
    try:
        yield
    finally:
        _is_muted.reset(token)


def is_muted() -> bool:
    return _is_muted.get()


def send_queued(*, mails: QuerySet, mail_id: int, build: Callable[[QueuedMail], EmailMultiAlternatives]) -> bool:
    """Send one queued mail. False when another process has it, when it was sent, or when the mail server failed.

    It is marked before it goes out, so it is never sent twice; after a failure it is queued again, a few times.
    mails: rows of one table, with what `build` reads.
    """
    rows = mails.model.objects.filter(pk=mail_id)
    claimed = rows.filter(status=QueuedMail.Status.QUEUED)
    changes = {"status": QueuedMail.Status.SENDING, "tried_at": timezone.now(), "try_count": F("try_count") + 1}
    if not claimed.update(**changes):
        return False
    mail = mails.get(pk=mail_id)
    try:
        message = build(mail)
    except Exception:
        rows.update(status=QueuedMail.Status.FAILED)
        raise
    try:
        message.send()
    except OSError as error:  # SMTPException is one; what it says may name the address
        logger.error("mail not sent key=%s error=%s", mail.key, type(error).__name__)
        rows.update(status=QueuedMail.Status.QUEUED if mail.try_count < TRIES else QueuedMail.Status.FAILED)
        return False
    rows.update(status=QueuedMail.Status.SENT, sent_at=timezone.now())
    return True


def find_waiting(mails: QuerySet, *, now: datetime) -> QuerySet:
    """What is queued for longer than a minute and was not tried within the last one."""
    waiting = mails.filter(status=QueuedMail.Status.QUEUED, queued_at__lte=now - TRY_AGAIN_AFTER)
    return waiting.exclude(tried_at__gt=now - TRY_AGAIN_AFTER).order_by("pk")


def send_waiting(mails: QuerySet, *, send: Callable[..., bool], now: datetime) -> int:
    """Send them; the number that went out. Safe beside itself, and one that fails stops no other."""
    sent_count = 0
    for mail_id in list(find_waiting(mails, now=now).values_list("pk", flat=True)):
        try:
            sent_count += send(mail_id=mail_id)
        except Exception:  # a mail that cannot be written is marked so and listed; the next may be fine
            logger.exception("mail cannot be written mail=%s", mail_id)
    return sent_count
