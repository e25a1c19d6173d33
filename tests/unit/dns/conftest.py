"""The event loops that DNS tests run on."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Both for the tests of connections: what pauses and resumes a transport is the loop's own. Else the mesh's."""
    mesh = {"uvloop": uvloop.new_event_loop}
    return mesh | {"asyncio": asyncio.new_event_loop} if item.path.name == "test_stream.py" else mesh
