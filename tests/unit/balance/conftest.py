"""Recorded picks of a real Envoy, and a plain host."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[2] / "data"


@dataclass(eq=False)
class PlainHost:
    """A host as balancers see it."""

    key: bytes
    weight: int = 1
    active: int = 0


def _load(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


@pytest.fixture(scope="session")
def ring_data() -> Any:
    return _load("ring_hash")


@pytest.fixture(scope="session")
def maglev_data() -> Any:
    return _load("maglev")


@pytest.fixture(scope="session")
def lb_data() -> Any:
    return _load("lb_other")


def hosts_of(keys: list[str], weights: list[int] | None = None) -> list[PlainHost]:
    return [PlainHost(key.encode(), 1 if weights is None else weights[i]) for i, key in enumerate(keys)]


@pytest.fixture(scope="session")
def make_hosts() -> Any:
    return hosts_of
