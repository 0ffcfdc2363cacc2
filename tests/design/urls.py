"""The site's addresses and the style guide, which stands among them in debug only."""

from django.urls import path

from marketplace import views
from marketplace.urls import *  # noqa: F403
from marketplace.urls import urlpatterns as _site

urlpatterns = [*_site, path("styleguide/", views.styleguide)]
