"""Settings under which checks of MCP servers would fail, or reach what nobody meant them to."""

import ipaddress

from django.conf import settings
from django.core.checks import Error, Tags, Warning, register  # noqa: A004 (Django's name)

from marketplace.web_addresses import parse_networks
from mcp.checking.health import LONGEST_CHECK

OURSELVES = parse_networks(["127.0.0.0/8", "::1", "169.254.0.0/16", "fe80::/10"])  # and the metadata of clouds


@register(Tags.security)
def check_allowed_networks(app_configs, **kwargs):
    return [
        Error(
            f"MCP_ALLOW_ADDRESSES holds “{text}”, which is no network.",
            hint="Write networks or single addresses, separated by commas: 10.0.0.0/8,fd00::/8",
            id="mcp.E001",
        )
        for text in settings.MCP_ALLOW_ADDRESSES
        if _parse(text) is None
    ]


@register(Tags.security)
def check_deadline_fits_the_lease(app_configs, **kwargs):
    """A longer look would outlive its lease, or be recorded as if nobody had looked since."""
    if 0 < settings.MCP_CHECK_DEADLINE_S <= LONGEST_CHECK.total_seconds() and settings.MCP_CHECK_INTERVAL_S > 0:
        return []
    return [
        Error(
            "Checks of MCP servers take too long, or none, or come without end.",
            hint="MCP_CHECK_DEADLINE_S is more than 0 and at most 60, MCP_CHECK_INTERVAL_S more than 0.",
            id="mcp.E003",
        )
    ]


@register(Tags.security, deploy=True)
def check_allowed_networks_leave_this_machine_alone(app_configs, **kwargs):
    return [
        Warning(
            f"MCP_ALLOW_ADDRESSES opens “{text}” to everybody who may submit an MCP server.",
            hint="It holds this machine or addresses of its own link, where clouds keep credentials. Name the servers' "
            "own addresses instead.",
            id="mcp.W002",
        )
        for text in settings.MCP_ALLOW_ADDRESSES
        if (network := _parse(text)) is not None
        and any(network.version == ours.version and network.overlaps(ours) for ours in OURSELVES)
    ]


def _parse(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return parse_networks([text])[0]
    except ValueError:
        return None
