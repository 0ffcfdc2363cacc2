"""Settings of the registry are looked at before anything is asked."""

import pytest
from django.core.checks import Tags, run_checks


def found(*, deploy=False):
    problems = run_checks(tags=[Tags.security], include_deployment_checks=deploy)
    return [problem.id for problem in problems if problem.id.startswith("mcp.")]


def test_nothing_is_wrong_with_networks_of_an_intranet(settings):
    settings.MCP_ALLOW_ADDRESSES = ["10.0.0.0/8", "192.168.1.7", "fd00::/8"]
    assert found(deploy=True) == []


@pytest.mark.parametrize("text", ["intranet", "10.0.0.0/33", "10.*", ""])
def test_what_is_no_network_is_named(text, settings):
    settings.MCP_ALLOW_ADDRESSES = ["10.0.0.0/8", text]
    assert found(deploy=True) == ["mcp.E001"]


@pytest.mark.parametrize("network", ["127.0.0.1", "0.0.0.0/0", "::/0", "169.254.169.254", "fe80::/64"])
def test_opening_this_machine_is_a_warning_where_strangers_submit(network, settings):
    settings.MCP_ALLOW_ADDRESSES = [network]
    assert found(deploy=True) == ["mcp.W002"]
    assert found() == []


@pytest.mark.parametrize(
    ("deadline_s", "interval_s", "ids"),
    [(15, 900, []), (60, 1, []), (61, 900, ["mcp.E003"]), (0, 900, ["mcp.E003"]), (15, 0, ["mcp.E003"])],
)
def test_a_look_that_outlives_its_lease_is_refused(deadline_s, interval_s, ids, settings):
    settings.MCP_CHECK_DEADLINE_S, settings.MCP_CHECK_INTERVAL_S = deadline_s, interval_s
    assert found() == ids
