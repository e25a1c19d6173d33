from google.protobuf import descriptor_pool

from mesh.routing.typed_configs import MODULES, load


def test_each_type_lives_in_its_module() -> None:
    for kind in MODULES:
        assert load("type.googleapis.com/" + kind)
        assert descriptor_pool.Default().FindMessageTypeByName(kind).full_name == kind


def test_an_unknown_type_is_not_loaded() -> None:
    assert not load("type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua")
    assert not load("")
