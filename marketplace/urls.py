"""Every address of the site, app by app."""

from allauth.account.decorators import secure_admin_login
from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from marketplace import views

admin.autodiscover()
admin.site.login = secure_admin_login(admin.site.login)  # second factor and rate limits hold there too

marketplace_urls = [
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("language/", views.set_language, name="set_language"),
    path("terms/", views.terms, name="terms"),
    path("privacy/", views.privacy, name="privacy"),
    path("refund-policy/", views.refund_policy, name="refund_policy"),
    path("media/<path:name>", views.media_file, name="media_file"),
]
if settings.DEBUG:
    marketplace_urls += [path("styleguide/", views.styleguide, name="styleguide")]

urlpatterns = [
    path("", include((marketplace_urls, "marketplace"))),
    # The admin's own page knows neither rate limits nor the mail that tells of a new password.
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("accounts.urls")),
    path("", include("sellers.urls")),
    path("studio/", include("sellers.studio.urls")),
    path("", include("catalog.urls")),
    path("", include("checkout.urls")),
    path("", include("mcp.urls")),
]

handler400 = "marketplace.views.bad_request"
handler403 = "marketplace.views.permission_denied"
handler404 = "marketplace.views.not_found"
handler429 = "marketplace.views.too_many_requests"  # asked for by allauth
handler500 = "marketplace.views.server_error"
