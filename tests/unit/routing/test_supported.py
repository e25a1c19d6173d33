import pytest
from google.protobuf import descriptor_pool

from mesh.routing import supported
from mesh.routing.typed_configs import MODULES, load


@pytest.fixture(scope="module", autouse=True)
def _types() -> None:
    import envoy.config.bootstrap.v3.bootstrap_pb2  # noqa: F401

    for kind in MODULES:
        load(kind)


@pytest.mark.parametrize("kind", sorted(supported.EXECUTED))
def test_every_entry_names_real_fields(kind: str) -> None:
    fields = descriptor_pool.Default().FindMessageTypeByName(kind).fields_by_name
    assert set(supported.EXECUTED[kind]) <= set(fields), f"{kind} has no such field"


def test_tables_speak_of_executed_types() -> None:
    pool = descriptor_pool.Default()
    for kind, field in supported.VALUES:
        enum = pool.FindMessageTypeByName(kind).fields_by_name[field].enum_type
        assert field in supported.EXECUTED[kind]
        assert set(supported.VALUES[kind, field]) <= set(enum.values_by_name)
    for kind, field in supported.HINTS:
        assert field in pool.FindMessageTypeByName(kind).fields_by_name
        assert field not in supported.EXECUTED[kind], f"{kind}.{field} is executed, the hint is never shown"
    for kind in supported.OPAQUE:
        assert pool.FindMessageTypeByName(kind) is not None


def test_every_type_that_is_loaded_is_executed() -> None:
    assert set(MODULES) <= set(supported.EXECUTED)
