"""Every list that a strategic merge matches by key is owned element by element, too."""

import pytest

from mesh.api.scheme import KINDS, Kind
from mesh.apiserver.apply_shapes import Ownable, ownable
from mesh.apiserver.merge_keys import Shape, shape_of


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.kind) for kind in KINDS if not kind.custom])
def test_as_strategic_merge(kind: Kind) -> None:
    def compare(shape: Shape, own: Ownable, path: str) -> None:
        for name, inner in shape.fields.items():
            if name in ("hostIPs", "strategy"):  # a cluster owns the first as a whole, the second member by member
                continue
            found = own.fields[name]
            assert (inner.key is not None) == bool(found.keys), f"{path}.{name}"
            if inner.key is not None:
                assert inner.key in (word.partition("=")[0] for word in found.keys), f"{path}.{name}"
            assert inner.primitive == found.plain_set, f"{path}.{name}"
            compare(inner, found, f"{path}.{name}")

    compare(shape_of(kind), ownable(kind), kind.kind)
