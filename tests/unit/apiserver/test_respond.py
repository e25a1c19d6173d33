"""The forms in which objects leave."""

from typing import Any

import orjson
import pytest

from mesh.api.scheme import BY_NAME
from mesh.apiserver.respond import Form, form_of, status_success
from mesh.store import Record

POD, INGRESS = BY_NAME["pods"], BY_NAME["ingresses.networking.k8s.io"]


def record(**obj: Any) -> Record:
    whole = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "resourceVersion": "7"}, **obj}
    return Record("pods", "d", "a", 7, "u", orjson.dumps(whole), {}, {})


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("application/json", "object"),
        ("", "object"),
        ("text/html", "object"),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", "table"),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", "metadata"),
        ("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1", "metadata"),
        ("application/vnd.kubernetes.protobuf,application/json", "object"),
    ],
)
def test_form_of(accept: str, form: str) -> None:
    assert form_of(POD, "v1", accept, {}).form == form


def test_stored_bytes_go_out_as_they_are() -> None:
    found = record()
    assert Form(POD, "v1").one(found, 0) is found.data


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_list_is_whole_json(count: int) -> None:
    answer = orjson.loads(Form(POD, "v1").many([record()] * count, 9, 0))
    assert (answer["kind"], answer["apiVersion"], answer["metadata"]) == ("PodList", "v1", {"resourceVersion": "9"})
    assert answer["items"] == [record().load()] * count


def test_metadata_alone() -> None:
    answer = orjson.loads(Form(POD, "v1", "metadata").many([record(spec={"x": 1})], 9, 0))
    assert (answer["kind"], answer["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert answer["items"][0]["kind"] == "PartialObjectMetadata"
    assert "spec" not in answer["items"][0]


def test_an_old_version_is_converted_on_the_way_out() -> None:
    found = record(spec={"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}})
    answer = orjson.loads(Form(INGRESS, "extensions/v1beta1").one(found, 0))
    assert answer["apiVersion"] == "extensions/v1beta1"
    assert answer["spec"] == {"backend": {"serviceName": "s", "servicePort": 80}}
    listed = orjson.loads(Form(INGRESS, "extensions/v1beta1").many([found], 9, 0))
    assert listed["apiVersion"] == "extensions/v1beta1"
    assert listed["items"][0]["apiVersion"] == "extensions/v1beta1"


def test_events_are_one_line_each() -> None:
    line = Form(POD, "v1").event("ADDED", record(), 0, True)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert orjson.loads(line) == {"type": "ADDED", "object": record().load()}


def test_table_events_show_columns_once() -> None:
    form = Form(POD, "v1", "table")
    first, second = (orjson.loads(form.event("ADDED", record(), 0, flag))["object"] for flag in (True, False))
    assert first["columnDefinitions"] is not None
    assert second["columnDefinitions"] is None
    assert len(second["rows"]) == 1


@pytest.mark.parametrize("end", [False, True])
def test_bookmark(end: bool) -> None:
    event = orjson.loads(Form(POD, "v1").bookmark(12, end))
    assert event["type"] == "BOOKMARK"
    assert event["object"]["metadata"]["resourceVersion"] == "12"
    assert ("annotations" in event["object"]["metadata"]) is end


def test_a_finished_delete_tells_the_uid() -> None:
    status = orjson.loads(status_success(INGRESS, record()))
    assert status["details"] == {"name": "a", "kind": "ingresses", "uid": "u", "group": "networking.k8s.io"}
    assert "group" not in orjson.loads(status_success(POD, record()))["details"]
