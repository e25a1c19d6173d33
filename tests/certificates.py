"""Certificates for tests, made by the `openssl` program; tests that need one are skipped where it is missing."""

import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.tools import program


@dataclass(frozen=True)
class Pair:
    chain: bytes
    key: bytes


@lru_cache(maxsize=32)
def certificate(*names: str) -> Pair:
    """A self-signed certificate for some names; the same one for the same names."""
    openssl = program("openssl", "apt-get install openssl")
    with TemporaryDirectory() as folder:
        chain, key = Path(folder, "chain.pem"), Path(folder, "key.pem")
        command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-keyout", str(key), "-out", str(chain), "-days", "2", "-subj", f"/CN={names[0]}"]
        command += ["-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        return Pair(chain.read_bytes(), key.read_bytes())
