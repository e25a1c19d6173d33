"""What a pod may not say."""

from typing import Any

import pytest

from mesh.api.validation_pod import pod_causes, pod_spec_causes, pod_update_causes, template_causes


def spec(**more: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "i"}], **more}


def container(**more: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "i", **more}]}


C = "spec.containers[0]"


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        pytest.param(spec(), [], id="good"),
        pytest.param({"containers": []}, ["spec.containers"], id="no-container"),
        pytest.param({}, ["spec.containers"], id="no-containers-at-all"),
        pytest.param({"containers": [{"name": "c", "image": "i"}] * 2}, ["spec.containers[1].name"], id="same-name"),
        pytest.param({"containers": [{"name": "", "image": ""}]}, [f"{C}.name", f"{C}.image"], id="empty-names"),
        pytest.param({"containers": [{"name": "My_App", "image": " i"}]}, [f"{C}.name", f"{C}.image"], id="bad-names"),
        pytest.param(container(imagePullPolicy="Sometimes"), [f"{C}.imagePullPolicy"], id="pull-policy"),
        pytest.param(container(ports=[{"containerPort": 0}]), [f"{C}.ports[0].containerPort"], id="port-zero"),
        pytest.param(container(ports=[{"containerPort": 70000}]), [f"{C}.ports[0].containerPort"], id="port-too-high"),
        pytest.param(container(ports=[{"containerPort": 80, "name": "HTTP"}]), [f"{C}.ports[0].name"], id="port-name"),
        pytest.param(
            container(ports=[{"containerPort": 1, "name": "a"}, {"containerPort": 2, "name": "a"}]),
            [f"{C}.ports[1].name"],
            id="port-names-twice",
        ),
        pytest.param(
            container(ports=[{"containerPort": 80, "protocol": "tcp"}]), [f"{C}.ports[0].protocol"], id="protocol"
        ),
        pytest.param(container(env=[{"name": ""}]), [f"{C}.env[0].name"], id="env-without-name"),
        pytest.param(container(env=[{"name": "A=B"}]), [f"{C}.env[0].name"], id="env-name"),
        pytest.param(
            container(env=[{"name": "A", "value": "x", "valueFrom": {"fieldRef": {}}}]),
            [f"{C}.env[0].valueFrom"],
            id="env-two-sources",
        ),
        pytest.param(container(env=[{"name": "A", "valueFrom": {}}]), [f"{C}.env[0].valueFrom"], id="env-no-source"),
        pytest.param(
            container(volumeMounts=[{"name": "v", "mountPath": "/x"}]),
            [f"{C}.volumeMounts[0].name"],
            id="mount-of-nothing",
        ),
        pytest.param(
            {**container(volumeMounts=[{"name": "v", "mountPath": ""}]), "volumes": [{"name": "v"}]},
            [f"{C}.volumeMounts[0].mountPath"],
            id="mount-nowhere",
        ),
        pytest.param(container(resources={"limits": {"cpu": "lots"}}), [f"{C}.resources.limits[cpu]"], id="quantity"),
        pytest.param(container(livenessProbe={}), [f"{C}.livenessProbe"], id="probe-without-handler"),
        pytest.param(
            container(livenessProbe={"httpGet": {"port": 1}, "exec": {}}),
            [f"{C}.livenessProbe.exec"],
            id="probe-with-two",
        ),
        pytest.param(
            container(readinessProbe={"httpGet": {"port": "no such!"}}),
            [f"{C}.readinessProbe.httpGet.port"],
            id="probe-port",
        ),
        pytest.param(
            container(readinessProbe={"tcpSocket": {"port": 0}}),
            [f"{C}.readinessProbe.tcpSocket.port"],
            id="probe-port-zero",
        ),
        pytest.param(
            container(readinessProbe={"httpGet": {"port": 1, "scheme": "ftp"}}),
            [f"{C}.readinessProbe.httpGet.scheme"],
            id="probe-scheme",
        ),
        pytest.param(
            container(readinessProbe={"tcpSocket": {"port": 1}, "periodSeconds": 0, "initialDelaySeconds": -1}),
            [f"{C}.readinessProbe.initialDelaySeconds", f"{C}.readinessProbe.periodSeconds"],
            id="probe-times",
        ),
        pytest.param(
            container(livenessProbe={"tcpSocket": {"port": 1}, "successThreshold": 2}),
            [f"{C}.livenessProbe.successThreshold"],
            id="liveness-succeeds-once",
        ),
        pytest.param(
            container(readinessProbe={"tcpSocket": {"port": 1}, "successThreshold": 2}),
            [],
            id="readiness-may-ask-twice",
        ),
        pytest.param(spec(restartPolicy="Maybe"), ["spec.restartPolicy"], id="restart-policy"),
        pytest.param(spec(dnsPolicy="Mine"), ["spec.dnsPolicy"], id="dns-policy"),
        pytest.param(spec(terminationGracePeriodSeconds=-1), ["spec.terminationGracePeriodSeconds"], id="grace"),
        pytest.param(spec(hostname="a.b", subdomain="A"), ["spec.hostname", "spec.subdomain"], id="hostname"),
        pytest.param(spec(nodeSelector={"a": "b c"}), ["spec.nodeSelector.a"], id="node-selector"),
        pytest.param(spec(volumes=[{"name": "v"}, {"name": "v"}]), ["spec.volumes[1].name"], id="volume-twice"),
        pytest.param(
            spec(volumes=[{"name": "v", "emptyDir": {}, "hostPath": {}}]),
            ["spec.volumes[0].hostPath"],
            id="volume-two-sources",
        ),
        pytest.param(
            spec(tolerations=[{"operator": "Like", "key": "a"}]),
            ["spec.tolerations[0].operator"],
            id="toleration-operator",
        ),
        pytest.param(spec(tolerations=[{"value": "x"}]), ["spec.tolerations[0].operator"], id="toleration-without-key"),
        pytest.param(
            spec(tolerations=[{"key": "a", "effect": "Now"}]), ["spec.tolerations[0].effect"], id="toleration-effect"
        ),
        pytest.param(
            {**spec(), "initContainers": [{"name": "c", "image": "i"}]},
            [f"{C}.name"],
            id="init-and-container-share-names",
        ),
        pytest.param("text", [], id="wrong-shape"),
    ],
)
def test_pod_spec(given: Any, fields: list[str]) -> None:
    assert [cause.field for cause in pod_spec_causes(given, "spec")] == fields


def test_all_at_once() -> None:
    found = pod_causes({"spec": {**container(ports=[{"containerPort": 0}], env=[{"name": ""}]), "restartPolicy": "x"}})
    assert [cause.field for cause in found] == [f"{C}.ports[0].containerPort", f"{C}.env[0].name", "spec.restartPolicy"]


@pytest.mark.parametrize(
    ("template", "fields"),
    [
        pytest.param({"spec": spec(restartPolicy="Always")}, [], id="always"),
        pytest.param({"spec": spec(restartPolicy="Never")}, ["t.spec.restartPolicy"], id="never"),
        pytest.param({"metadata": {"labels": {"a": "b c"}}, "spec": spec()}, ["t.metadata.labels.a"], id="labels"),
        pytest.param(None, [], id="nothing"),
    ],
)
def test_template(template: Any, fields: list[str]) -> None:
    assert [cause.field for cause in template_causes(template, "t")] == fields


@pytest.mark.parametrize(
    ("change", "allowed"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"containers": [{"name": "c", "image": "other"}]}, True, id="image"),
        pytest.param({"nodeName": "n1"}, True, id="binding"),
        pytest.param({"tolerations": [{"operator": "Exists"}]}, True, id="tolerations"),
        pytest.param({"hostname": "h"}, False, id="hostname"),
        pytest.param({"containers": [{"name": "c", "image": "i", "env": [{"name": "A"}]}]}, False, id="env"),
        pytest.param({"containers": []}, False, id="container-gone"),
    ],
)
def test_update(change: dict[str, Any], allowed: bool) -> None:
    causes = pod_update_causes({"spec": {**spec(), **change}}, {"spec": spec()})
    assert [cause.reason for cause in causes] == ([] if allowed else ["FieldValueForbidden"])
