"""The table agrees with the models: what a model reads, Kubernetes knows."""

from typing import Any

import pytest
from pydantic import BaseModel

from mesh.api import core, services, workloads
from mesh.api.known_fields import TYPES, type_of


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (core.PodSpec, "PodSpec"), (core.Container, "Container"), (core.ContainerPort, "ContainerPort"),
        (core.Probe, "Probe"), (core.HttpGetAction, "HTTPGetAction"), (core.TcpSocketAction, "TCPSocketAction"),
        (core.VolumeMount, "VolumeMount"), (core.Volume, "Volume"), (core.EnvVar, "EnvVar"),
        (core.Toleration, "Toleration"), (core.NodeSpec, "NodeSpec"), (core.Taint, "Taint"),
        (workloads.DeploymentSpec, "DeploymentSpec"), (workloads.ReplicaSetSpec, "ReplicaSetSpec"),
        (workloads.StatefulSetSpec, "StatefulSetSpec"), (services.ServiceSpec, "ServiceSpec"),
        (services.ServicePort, "ServicePort"), (services.IngressSpec, "IngressSpec"),
        (services.IngressBackend, "IngressBackend"), (services.Endpoint, "Endpoint"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_models_read_only_known_fields(model: type[BaseModel], name: str) -> None:
    aliases = {info.alias or field for field, info in model.model_fields.items()}
    assert aliases <= set(TYPES[name])


@pytest.mark.parametrize(
    ("kind", "version", "expected"),
    [
        ("Deployment", "apps/v1", "Deployment"), ("Deployment", "extensions/v1beta1", "OldDeployment"),
        ("Ingress", "networking.k8s.io/v1beta1", "OldIngress"), ("ReplicaSet", "extensions/v1beta1", "ReplicaSet"),
        ("RouteRule", "config.istio.io/v1alpha2", None),
    ],
)  # fmt: skip
def test_type_of(kind: str, version: str, expected: Any) -> None:
    assert type_of(kind, version) == expected
