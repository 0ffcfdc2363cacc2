"""Addresses of the registry and of what speaks MCP."""

from django.urls import include, path

from mcp.registry import check_views, registry_api, submission_views, views
from mcp.serving import connect_views, endpoint, token_views

app_name = "mcp"

registry_api_urls = [
    path("servers", registry_api.registry_server_list, name="registry_server_list"),
    path("servers/<path:name>/versions", registry_api.registry_version_list, name="registry_version_list"),
    path("servers/<path:name>/versions/<str:version>", registry_api.registry_version, name="registry_version"),
    path("health", registry_api.registry_health, name="registry_health"),
    path("ping", registry_api.registry_ping, name="registry_ping"),
    path("version", registry_api.registry_about, name="registry_about"),
    path("", registry_api.registry_nothing),
    path("<path:rest>", registry_api.registry_nothing),
]

urlpatterns = [
    path("mcp", endpoint.endpoint, name="endpoint"),  # no slash at its end, and none is added
    path("mcp/", endpoint.endpoint),
    path("connect/", connect_views.connect, name="connect"),
    path("connect/try/", connect_views.connect_try, name="connect_try"),
    path("account/tokens/", token_views.token_list, name="token_list"),
    path("account/tokens/revoke/", token_views.token_revoke, name="token_revoke"),
    path("v0.1", registry_api.registry_nothing),  # else Django would redirect to the same with a slash
    path("v0.1/", include(registry_api_urls)),
    path("v0", registry_api.registry_nothing),
    path("v0/", include(registry_api_urls)),
    path("mcp-servers/", views.server_list, name="server_list"),
    path("mcp-servers/submit/", submission_views.server_submit, name="server_submit"),
    path("mcp-servers/submitted/", submission_views.submission_list, name="submission_list"),
    path(
        "mcp-servers/submitted/<slug:slug>/withdraw/", submission_views.submission_withdraw, name="submission_withdraw"
    ),
    # What is no server stands before what takes any word.
    path("mcp-servers/<slug:slug>/", views.server_detail, name="server_detail"),
    path("mcp-servers/<slug:slug>/check/", check_views.server_check, name="server_check"),
]
