"""Every rule of configuration objects has a case that breaks it."""

from typing import Any

import pytest

from mesh.api.validation_config import (
    LARGEST_BYTES,
    config_map_causes,
    config_update_causes,
    quota_causes,
    secret_causes,
)


@pytest.mark.parametrize(
    ("obj", "fields"),
    [
        pytest.param({"data": {"a.b-c_D": "1"}, "binaryData": {"x": "YQ=="}}, [], id="good"),
        pytest.param({"data": {"a b": "1"}}, ["data[a b]"], id="key"),
        pytest.param({"data": {"..": "1"}}, ["data[..]"], id="dots"),
        pytest.param({"data": {"a": "1"}, "binaryData": {"a": "YQ=="}}, ["data[a]"], id="twice"),
        pytest.param({"binaryData": {"a": "?"}}, ["binaryData[a]"], id="not-base64"),
        pytest.param({"data": {"a": "x" * (LARGEST_BYTES + 1)}}, ["data"], id="too-large"),
        pytest.param({"data": [1]}, [], id="a-wrong-shape-is-judged-elsewhere"),
    ],
)
def test_config_map(obj: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in config_map_causes(obj)] == fields


@pytest.mark.parametrize(
    ("obj", "fields"),
    [
        pytest.param({"type": "Opaque", "data": {"a": "YQ=="}}, [], id="good"),
        pytest.param({"data": {"a": "plain text"}}, ["data[a]"], id="plain"),
        pytest.param({"type": "kubernetes.io/tls", "data": {"tls.crt": "YQ=="}}, ["data[tls.key]"], id="half-a-pair"),
    ],
)
def test_secret(obj: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in secret_causes(obj)] == fields


@pytest.mark.parametrize(
    ("obj", "old", "fields"),
    [
        pytest.param({"data": {"a": "2"}}, {"data": {"a": "1"}}, [], id="free"),
        pytest.param({"type": "b"}, {"type": "a"}, ["type"], id="type"),
        pytest.param(
            {"data": {"a": "2"}, "immutable": True}, {"data": {"a": "1"}, "immutable": True}, ["data"], id="immutable"
        ),
        pytest.param({}, {"immutable": True}, ["immutable"], id="immutable-for-good"),
    ],
)
def test_updates(obj: dict[str, Any], old: dict[str, Any], fields: list[str]) -> None:
    assert [cause.field for cause in config_update_causes(obj, old)] == fields


def test_quota() -> None:
    assert quota_causes({"spec": {"hard": {"pods": "3", "cpu": "500m"}}}) == []
    assert [c.field for c in quota_causes({"spec": {"hard": {"pods": "many"}}})] == ["spec.hard[pods]"]
