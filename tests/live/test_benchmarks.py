"""The bench itself: a short run over two peers, whose figures nobody judges here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.alone, pytest.mark.live, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *words], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )


def test_a_short_run_measures_and_judges() -> None:
    short = ("--rounds", "1", "--seconds", "1", "--cases", "unique", "--no-write")
    done = bench("--peers", "mesh", "aiohttp", *short)
    rows = dict(re.findall(r"^\| (mesh|aiohttp) \| ([0-9.]+) \|", done.stdout, re.MULTILINE))
    assert set(rows) == {"mesh", "aiohttp"}, done.stdout + done.stderr
    assert float(rows["mesh"]) < float(rows["aiohttp"])
    assert re.search(r"^(kept|MISSED): unique: CPU per request [0-9.]+ of aiohttp's", done.stdout, re.MULTILINE)
    assert done.returncode in (0, 1)
    assert ("MISSED" in done.stdout) == (done.returncode == 1)


def test_a_wrong_word_is_bad_usage() -> None:
    done = bench("--peers", "squid")
    assert done.returncode == 2
    assert "invalid choice: 'squid'" in done.stderr
