"""What is a HorizontalPodAutoscaler?

Metrics and behaviour stay plain JSON here: one controller reads them, and their shape is judged when they are written.
"""

from pydantic import Field

from mesh.api.meta import Condition, Model, Object, Raw


class CrossVersionObjectReference(Model):
    kind: str
    name: str
    api_version: str | None = None


class HorizontalPodAutoscalerSpec(Model):
    scale_target_ref: CrossVersionObjectReference
    min_replicas: int | None = None
    max_replicas: int
    metrics: list[Raw] | None = None
    behavior: Raw | None = None


class HorizontalPodAutoscalerStatus(Model):
    observed_generation: int | None = None
    last_scale_time: str | None = None
    current_replicas: int = 0
    desired_replicas: int = 0
    current_metrics: list[Raw] | None = None
    conditions: list[Condition] | None = None


class HorizontalPodAutoscaler(Object):
    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus = Field(default_factory=HorizontalPodAutoscalerStatus)
