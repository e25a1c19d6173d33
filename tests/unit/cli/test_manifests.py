"""Files that people give: what is read, and what is said when it cannot be."""

from pathlib import Path

import pytest

from mesh.cli import manifests
from mesh.cli.errors import UserError

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"


def write(folder: Path, **files: str) -> str:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return str(folder)


def test_a_folder_is_read_in_name_order_without_the_scenario(tmp_path: Path) -> None:
    folder = write(
        tmp_path, b__yaml=SERVICE, a__yml=SERVICE.replace("web", "first"), scenario__yaml="steps: []", x__txt="no"
    )
    assert [manifest.name for manifest in manifests.read([folder])] == ["first", "web"]


def test_documents_and_lists_are_opened(tmp_path: Path) -> None:
    listed = '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}]}'
    folder = write(tmp_path, a__yaml=SERVICE + "---\n---\n" + SERVICE.replace("web", "two"), b__json=listed)
    assert [(m.kind.kind, m.name) for m in manifests.read([folder])] == [
        ("Service", "web"),
        ("Service", "two"),
        ("Namespace", "n"),
    ]


def test_old_spellings_are_known(tmp_path: Path) -> None:
    folder = write(tmp_path, a__yaml="apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: d}\n")
    assert manifests.read([folder])[0].kind.resource == "deployments.apps"


def test_yaml_means_what_it_means_in_a_cluster(tmp_path: Path) -> None:
    """Dates stay texts, keys are texts, anchors and merges work."""
    text = SERVICE.replace(
        "{name: web}", "&m {name: web, labels: &l {on: a, 80: b, when: 2020-01-01}, annotations: {<<: *l, 80: c}}"
    )
    folder = write(tmp_path, a__yaml=text)
    metadata = manifests.read([folder])[0].data["metadata"]
    assert metadata["labels"] == {"true": "a", "80": "b", "when": "2020-01-01"}
    assert metadata["annotations"] == {"true": "a", "80": "c", "when": "2020-01-01"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a: [1\n", "line 2, column 1: malformed YAML", id="malformed"),
        pytest.param("- 1\n", "document 1: an object with apiVersion, kind and metadata is wanted, not a list", id="list"),
        pytest.param("just words\n", "not a text", id="text"),
        pytest.param("kind: Service\nmetadata: {name: a}\n", "apiVersion: required", id="no apiVersion"),
        pytest.param("apiVersion: v1\nmetadata: {name: a}\n", "kind: required", id="no kind"),
        pytest.param("apiVersion: v1\nkind: Service\n", "metadata.name: required", id="no name"),
        pytest.param("apiVersion: v1\nkind: Gizmo\nmetadata: {name: a}\n", "'Gizmo' (v1) is not served; known kinds:", id="kind"),
        pytest.param("apiVersion: v7\nkind: Pod\nmetadata: {name: a}\n", "'v7' does not serve Pod; use v1", id="version"),
        pytest.param("a: &x [1]\nb: [" + "*x," * 200 + "]\n", "200 YAML aliases; at most 100", id="aliases"),
        pytest.param("a: !!python/object:os.system {}\n", "malformed YAML", id="python tag"),
        pytest.param("a: 1\nb: {c: 1, c: 2}\n", "line 2, column 11: malformed YAML: the key 'c' stands twice", id="key twice"),
        pytest.param("a: .nan\n", "line 1, column 4: malformed YAML: a number has to be finite", id="not a number"),
        pytest.param("a: !!binary eA==\n", "!!binary has no place in a manifest", id="binary"),
        pytest.param("a: !!set {x}\n", "!!set has no place in a manifest", id="set"),
        pytest.param("apiVersion: v1\nkind: 5\n", "kind: a text is needed here, not a number", id="kind is a number"),
        pytest.param("apiVersion: v1\nkind: Pod\nmetadata: [a]\n", "metadata: an object is needed", id="metadata is a list"),
        pytest.param("apiVersion: v1\nkind: Pod\nmetadata: {name: 5}\n", "metadata.name: a text is needed", id="name is a number"),
        pytest.param("apiVersion: v1\nkind: List\nitems: 5\n", "List: items: a list is needed here, not a number", id="items"),
        pytest.param("[" * 5000, "malformed YAML", id="deep"),
    ],
)  # fmt: skip
def test_one_line_names_the_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as refused:
        manifests.read([str(path)])
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert "\n" not in message
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda folder: str(folder / "none.yaml"), "no such file or folder", id="missing"),
        pytest.param(lambda folder: str(folder), "the folder has no manifests", id="empty folder"),
        pytest.param(lambda folder: write(folder, a__yaml="---\n"), "no objects in", id="empty document"),
        pytest.param(lambda folder: write(folder, a__yaml="#" * (9 << 20)), "larger than 8 MiB", id="large"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, make: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        manifests.read([make(tmp_path)])  # type: ignore[operator]
