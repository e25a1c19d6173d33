"""Do the defaults fit the first mesh on a machine?"""

from mesh.controllers.settings import Settings
from mesh.node.addresses import Plan


def test_the_defaults_agree_with_the_address_plan() -> None:
    plan, settings = Plan(), Settings()
    assert settings.service_prefix == plan.service_prefix
    assert set(settings.reserved_cluster_ips.values()) == {plan.kubernetes_service, plan.dns_service}
    assert settings.gateway_address == plan.people
    assert (settings.load_balancer_address, settings.zones) == (None, ())
