import pytest

from mesh.api.traffic import IstioService
from mesh.translate.hosts import outbound_name, resolve, short_names, subset_text, with_port


@pytest.mark.parametrize(
    ("service", "host"),
    [
        pytest.param({"name": "a"}, "a.here.svc.cluster.local", id="name"),
        pytest.param({"name": "a", "namespace": "n"}, "a.n.svc.cluster.local", id="name-and-namespace"),
        pytest.param({"name": "a", "domain": "d.org"}, "a.here.d.org", id="a-domain-comes-without-svc"),
        pytest.param({"name": "a", "namespace": "n", "domain": "d.org"}, "a.n.d.org", id="all-three"),
        pytest.param({"service": "a.b.c"}, "a.b.c", id="complete-host-untouched"),
        pytest.param({"service": "*cnn.com"}, "*cnn.com", id="wildcard-untouched"),
    ],
)
def test_resolve(service: dict[str, str], host: str) -> None:
    assert resolve(IstioService.model_validate(service), "here") == host


def test_cluster_names_list_labels_by_key() -> None:
    subset = subset_text({"version": "v1", "app": "shop"})
    assert outbound_name(80, subset, "shop.default.svc.cluster.local") == (
        "outbound|80|app=shop,version=v1|shop.default.svc.cluster.local"
    )


@pytest.mark.parametrize(
    ("caller", "names"),
    [
        pytest.param("n", ["a", "a.n", "a.n.svc", "a.n.svc.cluster.local"], id="same-namespace"),
        pytest.param("other", ["a.n", "a.n.svc", "a.n.svc.cluster.local"], id="other-namespace"),
    ],
)
def test_short_names(caller: str, names: list[str]) -> None:
    assert list(short_names("a", "n", caller)) == names


@pytest.mark.parametrize(
    ("port", "domains"),
    [
        pytest.param(80, ["a", "a:80"], id="port-80-also-bare"),
        pytest.param(8080, ["a:8080"], id="other-ports-only-with-port"),
    ],
)
def test_with_port(port: int, domains: list[str]) -> None:
    assert list(with_port(["a"], port)) == domains
