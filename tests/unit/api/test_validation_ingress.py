"""What an Ingress may not say."""

from typing import Any

import pytest

from mesh.api.validation_ingress import ingress_causes

BACKEND = {"service": {"name": "s", "port": {"number": 80}}}
PATH = "spec.rules[0].http.paths[0]"


def rule(host: str | None = None, **path: Any) -> dict[str, Any]:
    entry = {"path": "/", "pathType": "Prefix", "backend": BACKEND, **path}
    return {"rules": [{**({"host": host} if host else {}), "http": {"paths": [entry]}}]}


def backend(**service: Any) -> dict[str, Any]:
    return {"defaultBackend": {"service": service}}


B = "spec.defaultBackend.service"


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param(rule("a.local"), [], id="good"),
        pytest.param({"defaultBackend": BACKEND}, [], id="default-backend"),
        pytest.param({}, ["spec"], id="nothing"),
        pytest.param(rule("*.a.local"), [], id="wildcard"),
        pytest.param(rule("a.*.local"), ["spec.rules[0].host"], id="wildcard-inside"),
        pytest.param(rule("127.0.0.1"), ["spec.rules[0].host"], id="ip"),
        pytest.param(rule("Upper.local"), ["spec.rules[0].host"], id="upper-case"),
        pytest.param(rule(pathType=None), [f"{PATH}.pathType"], id="no-path-type"),
        pytest.param(rule(pathType="Regex"), [f"{PATH}.pathType"], id="path-type"),
        pytest.param(rule(path="x"), [f"{PATH}.path"], id="relative"),
        pytest.param(rule(path="/a//b"), [f"{PATH}.path"], id="double-slash"),
        pytest.param(rule(path="/a%2fb"), [f"{PATH}.path"], id="encoded-slash"),
        pytest.param(rule(path=""), [f"{PATH}.path"], id="prefix-without-path"),
        pytest.param(rule(path="", pathType="ImplementationSpecific"), [], id="free-without-path"),
        pytest.param(rule(path="/a//b", pathType="ImplementationSpecific"), [], id="free-with-any"),
        pytest.param(rule(backend=None), [f"{PATH}.backend"], id="no-backend"),
        pytest.param({"rules": [{"http": {"paths": []}}]}, ["spec.rules[0].http.paths"], id="no-paths"),
        pytest.param(backend(port={"number": 80}), [f"{B}.name"], id="no-service-name"),
        pytest.param(backend(name="S", port={"number": 80}), [f"{B}.name"], id="service-name"),
        pytest.param(backend(name="s"), [f"{B}.port"], id="no-port"),
        pytest.param(backend(name="s", port={"number": 80, "name": "h"}), [f"{B}.port.name"], id="two-ports"),
        pytest.param(backend(name="s", port={"number": 70000}), [f"{B}.port.number"], id="port-number"),
        pytest.param(backend(name="s", port={"name": "a b"}), [f"{B}.port.name"], id="port-name"),
        pytest.param({"defaultBackend": {"resource": {}}}, [], id="resource"),
        pytest.param({"defaultBackend": {"resource": {}, "service": {}}}, ["spec.defaultBackend"], id="both"),
        pytest.param({"defaultBackend": {"x": 1}}, [B], id="neither"),
        pytest.param({**rule(), "tls": [{"hosts": ["a", "B"]}]}, ["spec.tls[0].hosts[1]"], id="tls-host"),
        pytest.param("text", [], id="wrong-shape"),
    ],
)
def test_ingress(spec: Any, fields: list[str]) -> None:
    assert [cause.field for cause in ingress_causes({"spec": spec})] == fields
