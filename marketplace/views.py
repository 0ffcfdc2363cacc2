"""Pages that belong to no app: legal texts, language, health, errors."""

import errno
import logging

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.core.files.storage import storages
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.utils.translation import check_for_language
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.static import serve

from marketplace.charts import make_samples
from marketplace.ways_back import find_way_back

logger = logging.getLogger(__name__)


@login_not_required
@require_safe
def terms(request):
    fee_percent = f"{settings.PLATFORM_FEE_BP / 100:g}"
    return render(request, "marketplace/terms.html", {"fee_percent": fee_percent})


@login_not_required
@require_safe
def privacy(request):
    return render(request, "marketplace/privacy.html")


@login_not_required
@require_safe
def refund_policy(request):
    return render(request, "marketplace/refund_policy.html")


@login_not_required
@require_safe
def styleguide(request):
    """Every component on one page; in debug only."""
    return render(request, "styleguide.html", make_samples())


@login_not_required
@require_POST
def set_language(request):
    """Remembers the language in a cookie and goes back to the page it was chosen on."""
    response = redirect(find_way_back(request, fallback="/"))
    language = request.POST.get("language", "")
    if language in dict(settings.LANGUAGES) and check_for_language(language):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=60 * 60 * 24 * 365,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
        )
    return response


@login_not_required
@require_safe
@cache_control(public=True, max_age=60 * 60 * 24 * 30)
def media_file(request, name):
    """Covers and avatars from the local folder. A proxy in front may serve the folder itself."""
    if not hasattr(storages["default"], "location"):
        raise Http404
    try:
        return serve(request, name, document_root=storages["default"].location)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise Http404 from error


@login_not_required
@require_safe
@never_cache
def healthz(request):
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
@never_cache
def readyz(request):
    """Database, migrations and cache, each `ok` or what is wrong; 503 when one is not. Names no secrets."""
    report = {"database": "ok", "migrations": "ok", "cache": "ok"}
    try:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            report["migrations"] = "pending"
    except DatabaseError:
        logger.exception("readiness: database does not answer")
        report |= {"database": "no answer", "migrations": "unknown"}
    try:
        cache.get("readyz")
    except Exception:  # whatever the cache's client raises
        logger.exception("readiness: cache does not answer")
        report["cache"] = "no answer"
    is_ready = set(report.values()) == {"ok"}
    return JsonResponse(report, status=200 if is_ready else 503)


def bad_request(request, exception=None):
    return render(request, "400.html", status=400)


def permission_denied(request, exception=None):
    return render(request, "403.html", status=403)


def csrf_failure(request, reason=""):
    return render(request, "403_csrf.html", status=403)


def not_found(request, exception=None):
    return render(request, "404.html", status=404)


def too_many_requests(request, exception=None):
    """A rate limit was reached; the longest of them that answers like this is a minute."""
    response = render(request, "429.html", status=429)
    response["Retry-After"] = "60"  # seconds
    return response


@login_not_required
def server_error(request):
    """No context, no database: whatever broke may break those too."""
    return HttpResponse(loader.render_to_string("500.html"), status=500)
