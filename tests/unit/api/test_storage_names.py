"""Which directory is a volume, and does it need attaching?"""

from typing import Any

import pytest

from mesh.api.storage_names import PROVISIONER, attach_name, directory_kind, directory_name


def csi(handle: Any = "pvc-1", driver: str = PROVISIONER, **attributes: str) -> dict[str, Any]:
    return {"driver": driver, "volumeHandle": handle, "volumeAttributes": attributes}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        pytest.param(csi(), "pvc-1", id="ours"),
        pytest.param(None, None, id="none"),
        pytest.param(csi(driver="ebs.csi.aws.com"), None, id="another-driver"),
        pytest.param(csi(""), None, id="no-handle"),
        pytest.param(csi(".."), None, id="upwards"),
        pytest.param(csi("../nodes"), None, id="out"),
        pytest.param(csi("a/b"), None, id="separator"),
        pytest.param(csi("a\x00b"), None, id="nul"),
        pytest.param(csi("a\n"), None, id="newline"),
        pytest.param(csi("x" * 300), None, id="long"),
        pytest.param(csi(7), "7", id="number"),
    ],
)
def test_directory_name(given: dict[str, Any] | None, name: str | None) -> None:
    assert directory_name(given) == name


@pytest.mark.parametrize(
    ("given", "kind", "attached"),
    [
        pytest.param(csi(), "directory", "kubernetes.io/csi/loopmesh.io/directory^pvc-1", id="disk-by-default"),
        pytest.param(csi(kind="directory"), "directory", "kubernetes.io/csi/loopmesh.io/directory^pvc-1", id="disk"),
        pytest.param(csi(kind="shared"), "shared", None, id="network"),
        pytest.param(csi(kind="objects"), "objects", None, id="objects"),
        pytest.param(None, "directory", None, id="none"),
        pytest.param(csi(driver="other"), "directory", None, id="another-driver"),
        pytest.param({**csi(), "volumeAttributes": "x"}, "directory",
                     "kubernetes.io/csi/loopmesh.io/directory^pvc-1", id="no-mapping"),
    ],
)  # fmt: skip
def test_attaching(given: dict[str, Any] | None, kind: str, attached: str | None) -> None:
    assert (directory_kind(given), attach_name(given)) == (kind, attached)
