"""What does a scenario file say?

A scenario is a folder: manifests, a README, and `scenario.yaml` with steps to take and what to expect of them. The
file is read here and played by `runner`; the demo, the tests and the benchmarks all read the same one. Fields that
do not exist are refused, with the file and the path of the field: a misspelt expectation must never pass in silence.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from mesh.testing.verdict import CONFIDENCE

FILE = "scenario.yaml"
TO = (
    r"^(gateway|service:[-a-z0-9.]+(:\d+)?|sidecar:.+|nodeport:[-a-z0-9.]+@[-a-z0-9.]+"
    r"|balancer:(ingress/)?[-a-z0-9.]+(@[-\w.]+)?)$"
)
MAX_BYTES = 1 << 20
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ScenarioError(ValueError):
    """A scenario that cannot be played; `str()` is one line naming file and field."""


def _share(value: Any) -> Any:
    """`90%`, `90 %` or the number 90 as a share of 1."""
    if isinstance(value, str):
        value = value.strip().removesuffix("%").strip()
    if isinstance(value, bool):
        raise ValueError("a percentage such as 90% is wanted")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError("a percentage such as 90% is wanted") from None
    if not 0 <= number <= 100:
        raise ValueError("a percentage lies between 0% and 100%")
    return number / 100


def _texts(value: Any) -> Any:
    """YAML reads `true` and `1` as other things than texts; in a header they are texts."""
    if not isinstance(value, dict):
        return value
    return {str(key): str(item).lower() if isinstance(item, bool) else str(item) for key, item in value.items()}


Share = Annotated[float, BeforeValidator(_share)]
Texts = Annotated[dict[str, str], BeforeValidator(_texts)]
Seconds = Annotated[float, Field(ge=0, le=600)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mesh(_Part):
    """The mesh that a scenario wants. zones: those with a subnet.  nodes_in: the zones of the nodes, in turn."""

    nodes: int = Field(default=2, ge=1, le=16)
    zones: tuple[str, ...] = ()
    nodes_in: tuple[str, ...] = ()


class Send(_Part):
    """Requests.

    to: `gateway`, `service:NAME[:PORT]` (its ClusterIP, layer 4), `sidecar:SELECTOR` (the outbound proxy of a pod),
    `nodeport:SERVICE@NODE`, `balancer:SERVICE[@ZONE]` or `balancer:ingress/NAME[@ZONE]`.
    """

    requests: int | None = Field(default=None, ge=1, le=1_000_000)
    duration_s: Seconds | None = None
    rate: float | None = Field(default=None, gt=0, le=20_000)
    concurrency: int = Field(default=8, ge=1, le=1000)
    connections: Literal["keep-alive", "fresh", "both"] = "keep-alive"
    to: str = Field(default="gateway", pattern=TO)
    method: str = Field(default="GET", pattern=r"^[A-Z]+$")
    path: str = Field(default="/", pattern=r"^/\S*$")
    host: str | None = None
    headers: Texts = Field(default_factory=dict)
    cookies: Texts = Field(default_factory=dict)
    body: str = ""
    timeout_s: float = Field(default=5.0, gt=0, le=600)

    @model_validator(mode="after")
    def _proxy_needs_host(self) -> Self:
        if self.to.startswith("sidecar:") and not self.host:
            raise ValueError("host is wanted when requests go through a sidecar: whom to ask for")
        return self


class Expect(_Part):
    """What a load must have seen; what is not named is not judged, but that no request failed is always wanted.

    versions: share of the answers per version.  tolerance: how far a share may be off; without it the range is what
    chance leaves at `confidence`.  statuses: share per status.  errors: how many requests may fail; `any` does not
    judge it.  arrived: how many requests reached the pods of a version, by the pods' own count (a mirror's copies
    too).  pods: how many different pods answered.  p99_ratio: the slowest percent beside an earlier step's.  outage:
    failures are wanted, but only while no pod was ready.
    """

    versions: dict[str, Share] = Field(default_factory=dict)
    tolerance: Annotated[float, BeforeValidator(_share)] | None = None
    confidence: float = Field(default=CONFIDENCE, gt=0.5, lt=1)
    statuses: dict[int, Share] = Field(default_factory=dict)
    errors: int | Literal["any"] = 0
    arrived: dict[str, int] = Field(default_factory=dict)
    pods: int | None = Field(default=None, ge=0)
    p99_ratio: "Ratio | None" = None
    outage: "Outage | None" = None


class Ratio(_Part):
    """Compare with the step named `of`."""

    of: str
    at_most: float = Field(gt=0)


class Outage(_Part):
    """Requests may fail while none of the pods with these labels is ready, and at no other time.

    at_most_s: how long each such time may last.  times: how many there must be.
    """

    pods: str
    at_most_s: float = Field(gt=0)
    times: int = Field(default=1, ge=1)


class Wait(_Part):
    """Wait until as many pods as said are ready, or until only one version answers; both bounded."""

    pods: str | None = None
    count: int | None = Field(default=None, ge=0)
    version: str | None = None
    times: int = Field(default=20, ge=1, le=1000)
    path: str = "/"
    headers: Texts = Field(default_factory=dict)
    timeout_s: Seconds = 15.0

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.pods is None) == (self.version is None):
            raise ValueError("wait for either pods (with count) or version")
        if self.pods is not None and self.count is None:
            raise ValueError("count is wanted with pods")
        return self


class Ref(_Part):
    """One object. kind: any spelling, such as Service, svc or routerules."""

    kind: str
    name: str
    namespace: str = "default"


class Patch(Ref):
    """A merge patch."""

    merge: dict[str, Any]


class Scale(Ref):
    replicas: int = Field(ge=0, le=1000)


class Rollout(_Part):
    """A rollout of a Deployment, from the change of its template until all pods are new and available.

    image: container -> image.  env: container -> variables.  labels: of the template.  undo: back to the revision
    before; to_revision: back to that one. With none of these, only wait for the rollout under way.
    """

    name: str
    namespace: str = "default"
    image: Texts = Field(default_factory=dict)
    env: dict[str, Texts] = Field(default_factory=dict)
    labels: Texts = Field(default_factory=dict)
    undo: bool = False
    to_revision: int | None = Field(default=None, ge=1)
    timeout_s: Seconds = 60.0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.undo or self.to_revision) and (self.image or self.env or self.labels):
            raise ValueError("a rollout goes either forward (image, env, labels) or back (undo, to_revision)")
        return self


class Kill(_Part):
    """The sudden end of one thing: of a node's process, or of pods (no grace). node_of: the node of a matching pod."""

    node: str | None = None
    node_of: str | None = None
    pods: str | None = None
    count: int = Field(default=1, ge=1, le=1000)

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if sum(value is not None for value in (self.node, self.node_of, self.pods)) != 1:
            raise ValueError("name one of node, node_of and pods")
        return self


class Kv(_Part):
    """Put or get numbered keys of a sharded store through its headless service, or move keys to where they belong.

    rebalance: after scaling, or, with `keep`, onto the first so many shards before the others are taken away.
    shards: how many there are; by default as many as DNS knows.
    """

    service: str
    put: int | None = Field(default=None, ge=1, le=100_000)
    get: int | None = Field(default=None, ge=1, le=100_000)
    rebalance: bool = False
    keep: int | None = Field(default=None, ge=1)
    shards: int | None = Field(default=None, ge=1)
    prefix: str = "key-"

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if [self.put is not None, self.get is not None, self.rebalance].count(True) != 1:
            raise ValueError("name either put or get, with the number of keys, or rebalance")
        if self.keep is not None and not self.rebalance:
            raise ValueError("keep belongs to rebalance")
        return self


class KvExpect(_Part):
    """What the store must have done. shards: how many hold keys.  twice: keys that live on more than one shard.

    moved_at_most: of a rebalance, in multiples of what has to move.
    """

    found: int | None = None
    shards: int | None = None
    twice: int | None = None
    moved_at_most: float | None = Field(default=None, gt=0)


class Step(_Part):
    """One step: exactly one verb, a name for reports, and what to expect of it."""

    name: str = ""
    send: Send | None = None
    during: tuple["Step", ...] = ()
    expect: Expect | None = None
    wait: Wait | None = None
    apply: tuple[str, ...] | None = None
    patch: Patch | None = None
    delete: Ref | None = None
    scale: Scale | None = None
    rollout: Rollout | None = None
    kill: Kill | None = None
    kv: Kv | None = None
    expect_kv: KvExpect | None = None
    pause: Seconds | None = None

    @property
    def verb(self) -> str:
        return next(verb for verb in VERBS if getattr(self, verb) is not None)

    @model_validator(mode="after")
    def _one_verb(self) -> Self:
        said = [verb for verb in VERBS if getattr(self, verb) is not None]
        if len(said) != 1:
            raise ValueError(f"a step has one verb of {', '.join(VERBS)}; this one has {' and '.join(said) or 'none'}")
        if self.send is None and (self.during or self.expect is not None):
            raise ValueError("during and expect belong to a step that sends")
        if self.kv is None and self.expect_kv is not None:
            raise ValueError("expect_kv belongs to a step with kv")
        if self.send is not None and not (self.send.requests or self.send.duration_s or self.during):
            raise ValueError("send has no end: give requests, duration_s, or steps to take during it")
        return self


VERBS = ("send", "wait", "apply", "patch", "delete", "scale", "rollout", "kill", "kv", "pause")


class Scenario(_Part):
    """A whole file. manifests: files of the folder that stand from the start; by default all but later ones."""

    title: str
    what: str
    mesh: Mesh = Mesh()
    manifests: tuple[str, ...] = (".",)
    steps: tuple[Step, ...] = Field(min_length=1)
    folder: Path = Path()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def files(self) -> tuple[str, ...]:
        """The manifests as paths."""
        return tuple(str(self.folder / file) for file in self.manifests)


def load(path: Path) -> Scenario:
    """Read a scenario: its folder or its file. Raises ScenarioError."""
    file = path / FILE if path.is_dir() else path
    try:
        text = file.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise ScenarioError(f"{file}: cannot be read: {error.strerror}") from None
    if len(text) > MAX_BYTES:
        raise ScenarioError(f"{file}: larger than {MAX_BYTES >> 20} MiB")
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - the safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ScenarioError(
            f"{file}: {where}malformed YAML: {getattr(error, 'problem', None) or 'not valid'}"
        ) from None
    if not isinstance(data, dict):
        raise ScenarioError(f"{file}: a scenario with title, what and steps is wanted")
    if "folder" in data:
        raise ScenarioError(f"{file}: folder: no such field")
    try:
        scenario = Scenario.model_validate({**data, "folder": file.parent})
    except ValidationError as error:
        raise ScenarioError(f"{file}: {_told(error)}") from None
    _check_files(scenario, file)
    return scenario


def discover(root: Path) -> list[Path]:
    """The folders below `root` that hold a scenario, in name order."""
    return sorted(file.parent for file in root.rglob(FILE))


def _told(error: ValidationError) -> str:
    """Every complaint in one line, each with the path of its field."""
    return "; ".join(
        f"{_path(item['loc'])}: {item['msg'].removeprefix('Value error, ')}".removeprefix(": ")
        for item in error.errors(include_url=False)
    )


def _path(loc: tuple[int | str, ...]) -> str:
    out = ""
    for part in loc:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out


def _check_files(scenario: Scenario, file: Path) -> None:
    """Files that a step names must be there before anything starts, and lie in the scenario's own folder."""
    named = [("manifests", name) for name in scenario.manifests]
    named += [(f"steps[{i}].apply", name) for i, step in enumerate(scenario.steps) for name in _applied(step)]
    for where, name in named:
        if not (scenario.folder / name).exists():
            raise ScenarioError(f"{file}: {where}: no file {name!r} beside it")
        if not (scenario.folder / name).resolve().is_relative_to(scenario.folder.resolve()):
            raise ScenarioError(f"{file}: {where}: {name!r} lies outside the scenario's folder")


def _applied(step: Step) -> list[str]:
    return [*(step.apply or ()), *(name for inner in step.during for name in _applied(inner))]
