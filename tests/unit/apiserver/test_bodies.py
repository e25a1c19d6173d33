"""Bodies are read within bounds, or refused in one line."""

from typing import Any

import pytest

from mesh.api.errors import BadRequest, TooLarge, UnsupportedMediaType
from mesh.apiserver.bodies import LARGEST_BODY, decode


def bomb(levels: int, width: int) -> bytes:
    lines = [f"a0: &a0 [{', '.join(['x'] * width)}]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("body", "content_type", "value"),
    [
        pytest.param(b'{"a": 1}', "application/json", {"a": 1}, id="json"),
        pytest.param(b'{"a": 1}', "", {"a": 1}, id="no-type-is-json"),
        pytest.param(b"a: 1\nb: [x]", "application/yaml", {"a": 1, "b": ["x"]}, id="yaml"),
        pytest.param(b"a: &x 1\nb: *x", "application/yaml", {"a": 1, "b": 1}, id="yaml-alias"),
        pytest.param(
            b"t: 2026-11-23T10:00:00Z", "application/yaml", {"t": "2026-11-23T10:00:00+00:00"}, id="yaml-time"
        ),
        pytest.param(b"[" * 90 + b"]" * 90, "", None, id="deep-but-not-too-deep"),
    ],
)
def test_good_bodies(body: bytes, content_type: str, value: Any) -> None:
    found = decode(body, content_type)
    assert value is None or found == value


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        pytest.param(b"{", "application/json", BadRequest, id="broken-json"),
        pytest.param(b"", "application/json", BadRequest, id="empty"),
        pytest.param(b'{"a": NaN}', "", BadRequest, id="nan"),
        pytest.param(b'{"a": "\xff"}', "", BadRequest, id="not-utf-8"),
        pytest.param(b'{"a":' * 200 + b"1" + b"}" * 200, "", BadRequest, id="deep-objects"),
        pytest.param(b"[" * 101 + b"]" * 101, "", BadRequest, id="deep-lists"),
        pytest.param(b"[" * 100_000, "", BadRequest, id="very-deep"),
        pytest.param(b" " * (LARGEST_BODY + 1), "", TooLarge, id="too-large"),
        pytest.param(b"a: [", "application/yaml", BadRequest, id="broken-yaml"),
        pytest.param(b"? [1]\n: x", "application/yaml", BadRequest, id="yaml-key-that-is-a-list"),
        pytest.param(b"1: x", "application/yaml", BadRequest, id="yaml-key-that-is-a-number"),
        pytest.param(b"!!python/object/apply:os.system ['true']", "application/yaml", BadRequest, id="yaml-code"),
        pytest.param(b"a: 1\n---\nb: 2", "application/yaml", BadRequest, id="two-yaml-documents"),
        pytest.param(bomb(9, 9), "application/yaml", BadRequest, id="alias-bomb"),
        pytest.param(b"[" * 5000 + b"]" * 5000, "application/yaml", BadRequest, id="deep-yaml"),
        pytest.param(b"k8s\0", "application/vnd.kubernetes.protobuf", UnsupportedMediaType, id="protobuf-of-nothing"),
        pytest.param(b"{}", "application/vnd.kubernetes.protobuf", BadRequest, id="json-called-protobuf"),
        pytest.param(b"{}", "text/html", UnsupportedMediaType, id="html"),
        pytest.param(b"a=b", "application/x-www-form-urlencoded", UnsupportedMediaType, id="a-form"),
    ],
)
def test_refusals(body: bytes, content_type: str, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        decode(body, content_type)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_few_aliases_cannot_grow_into_much() -> None:
    value = decode(bomb(16, 2), "application/yaml")
    assert len(value) == 16


@pytest.mark.timeout(5)
def test_a_hundred_thousand_open_brackets_of_yaml() -> None:
    with pytest.raises(BadRequest, match="nested deeper"):
        decode(b"[" * 100_000, "application/yaml")
