"""Whatever happened on the way, the same objects mean the same configuration, byte for byte."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.api.core import Pod
from mesh.api.meta import Object
from mesh.api.services import EndpointSlice, Ingress, Service
from mesh.api.traffic import RouteRule
from mesh.discovery.configuration import Configuration
from mesh.translate.gateway import gateway
from mesh.translate.memo import Memo
from mesh.translate.resources import Resources, wire
from mesh.translate.sidecar import sidecar
from mesh.translate.snapshot import Snapshot, World
from mesh.translate.ways_in import WayIn, ways_in

NAMES = ("a", "b")
ADDRESSES = ("127.244.0.1", "127.244.0.2", "127.244.0.3")
name, address, flag = st.sampled_from(NAMES), st.sampled_from(ADDRESSES), st.booleans()
version = st.sampled_from(("v1", "v2"))


def _meta(text: str, **more: Any) -> dict[str, Any]:
    return {"name": text, "namespace": "default", **more}


def _service(text: str, headless: bool = False, selecting: bool = True, http: bool = True, number: int = 80) -> Service:
    return Service.model_validate(
        {
            "metadata": _meta(text),
            "spec": {
                "clusterIP": "None" if headless else f"127.96.0.{NAMES.index(text) + 1}",
                "selector": {"app": text} if selecting else None,
                "ports": [{"name": "http" if http else "tcp", "port": number, "targetPort": 8080}],
            },
        }
    )


def _pod(ip: str, app: str, label: str, phase: str = "Running") -> Pod:
    return Pod.model_validate(
        {
            "metadata": _meta(f"pod-{ip[-1]}", labels={"app": app, "version": label}),
            "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 8080}]}]},
            "status": {"podIP": ip, "phase": phase},
        }
    )


services = st.builds(_service, name, flag, flag, st.sampled_from((True, True, False)), st.sampled_from((80, 81)))
pods = st.builds(_pod, address, name, version, st.sampled_from(("Running", "Running", "Running", "Failed")))
slices = st.builds(
    lambda which, of, ends: EndpointSlice.model_validate(
        {
            "metadata": _meta(f"slice-{which}", labels={"kubernetes.io/service-name": of}),
            "ports": [{"name": "http", "port": 8080}, {"name": "tcp", "port": 8080}],
            "endpoints": [
                {
                    "addresses": [ip],
                    "conditions": {"ready": ready},
                    "hostname": f"{of}-{ip[-1]}" if named else None,
                    "targetRef": {"kind": "Pod", "name": f"pod-{ip[-1]}"},
                }
                for ip, (ready, named) in ends.items()
            ],
        }
    ),
    st.integers(0, 1), name, st.dictionaries(address, st.tuples(flag, flag)),
)  # fmt: skip
rules = st.builds(
    lambda which, of, to, label, precedence, source, mirror: RouteRule.model_validate(
        {
            "metadata": _meta(f"rule-{which}"),
            "spec": {
                "destination": {"name": of},
                "precedence": precedence,
                "match": {
                    "source": {"name": to, "labels": {"version": label}} if source else None,
                    "request": {"headers": {"x": {"exact": label}}} if mirror else None,
                },
                "route": [{"destination": {"name": to}, "labels": {"version": label}, "weight": 90}, {"weight": 10}],
                "mirror": {"name": to} if mirror else None,
            },
        }
    ),
    st.integers(0, 1), name, name, version, st.integers(0, 1), flag, flag,
)  # fmt: skip
ingresses = st.builds(
    lambda which, of, path: Ingress.model_validate(
        {
            "metadata": _meta(f"ingress-{which}"),
            "spec": {
                "rules": [
                    {
                        "host": "a.example",
                        "http": {
                            "paths": [
                                {
                                    "path": path,
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": of, "port": {"number": 80}}},
                                }
                            ]
                        },
                    }
                ]
            },
        }
    ),
    st.integers(0, 1), name, st.sampled_from(("/", "/x")),
)  # fmt: skip
START = [(obj, "put") for obj in (_service("a"), _service("b"), _pod(ADDRESSES[0], "a", "v1"))]
verbs = st.sampled_from(("put", "put", "put", "remove"))
steps = st.tuples(st.one_of(rules, services, pods, slices, rules, rules, ingresses), verbs)
changes = st.lists(steps, min_size=8, max_size=16).map(lambda more: [*START, *more])


def _bytes(resources: Resources) -> list[list[bytes]]:
    kinds = (resources.listeners, resources.routes, resources.clusters, resources.endpoints)
    return [[wire(message) for message in messages] for messages in kinds]


def _everything(snapshot: Snapshot, memo: Memo | None = None) -> list[list[list[bytes]]]:
    views = [snapshot.pods[ip] for ip in sorted(snapshot.pods)]
    return [
        _bytes(gateway(snapshot, memo=memo)),
        *(_bytes(sidecar(snapshot, view, "127.245.0.1", memo)) for view in views),
    ]


@settings(max_examples=200, deadline=None)
@given(changes=changes)
def test_step_by_step_is_all_at_once(changes: list[tuple[Object, str]]) -> None:
    world, memo = World(), Memo()
    left: dict[tuple[str, tuple[str, str]], Object] = {}
    for obj, verb in changes:
        key = (type(obj).__name__, obj.key)
        if verb == "put":
            world.put(obj)
            left[key] = obj
        else:
            world.remove(obj)
            left.pop(key, None)
        stepwise = _everything(world.snapshot(), memo)
        memo.sweep()
    # Pods that share an address are told apart by who came last; the world below sees the same order.
    fresh = World()
    for obj in left.values():
        fresh.put(obj)
    assert stepwise == _everything(fresh.snapshot())


@settings(max_examples=100, deadline=None)
@given(changes=changes)
def test_tables_follow_every_change(changes: list[tuple[Object, str]]) -> None:
    followed = Configuration()
    left: dict[tuple[str, tuple[str, str]], Object] = {}
    for obj, verb in changes:
        if verb == "put":
            followed.put(obj)
            left[(type(obj).__name__, obj.key)] = obj
        else:
            followed.remove(obj)
            left.pop((type(obj).__name__, obj.key), None)
        followed.refresh()
        for view in followed.snapshot.pods.values():
            followed.outbound_table(followed.caller(view))
        followed.gateway_table(_way(followed))
        followed.sweep()
    fresh = Configuration()
    for obj in left.values():
        fresh.put(obj)
    fresh.refresh()
    assert dict(followed.clusters) == dict(fresh.clusters)
    assert dict(followed.endpoints) == dict(fresh.endpoints)
    for view in fresh.snapshot.pods.values():
        assert _shape(followed.outbound_table(followed.caller(view))) == _shape(
            fresh.outbound_table(fresh.caller(view))
        )
    assert _shape(followed.gateway_table(_way(followed))) == _shape(fresh.gateway_table(_way(fresh)))


def _shape(table: Any) -> list[Any]:
    return [
        (host.name, host.domains, [(route.name, route.cluster, len(route.mirrors)) for route in host.routes])
        for host in table.virtual_hosts
    ]


def _way(configuration: Configuration) -> WayIn:
    return ways_in(configuration.snapshot, "127.0.0.1", 8080)[0]
