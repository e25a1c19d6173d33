from typing import Any

import pytest

from mesh.api.qos import qos_class

FULL = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        pytest.param([{}], "BestEffort", id="nothing"),
        pytest.param([{"limits": {"nvidia.com/gpu": "1"}}], "BestEffort", id="nothing that counts"),
        pytest.param([{"requests": {"cpu": "100m"}}], "Burstable", id="a request"),
        pytest.param([{"limits": FULL}], "Guaranteed", id="limits alone"),
        pytest.param([{"limits": FULL, "requests": {"cpu": "1000m", "memory": "1024Mi"}}], "Guaranteed", id="written otherwise"),
        pytest.param([{"limits": FULL, "requests": {"cpu": "500m"}}], "Burstable", id="asks for less"),
        pytest.param([{"limits": {"cpu": "1"}}], "Burstable", id="one of two"),
        pytest.param([{"limits": FULL}, {}], "Burstable", id="one container of two"),
        pytest.param([{"limits": {"cpu": "lots"}}], "BestEffort", id="no quantity"),
        pytest.param([None], "BestEffort", id="no object"),
        pytest.param([{"limits": {"cpu": ["1"]}}], "BestEffort", id="no text"),
    ],
)  # fmt: skip
def test_class(resources: list[Any], wanted: str) -> None:
    assert qos_class({"containers": [{"name": "c", "resources": found} for found in resources]}) == wanted


def test_init_containers_count() -> None:
    spec: dict[str, Any] = {"containers": [{"resources": {"limits": FULL}}], "initContainers": [{"name": "i"}]}
    assert (qos_class(spec), qos_class({})) == ("Burstable", "BestEffort")
