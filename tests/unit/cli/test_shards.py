import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mesh.cli.main import main


def _run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["shards", *words])
    return int(ended.value.code or 0)


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert _run(*words, "-o", "json") == 0
    return json.loads(capsys.readouterr().out)


def test_one_algorithm_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    told = _json(capsys, "--nodes", "10", "--to", "11", "--keys", "20000", "--algorithm", "modulo")
    assert told["moved_fraction"] == pytest.approx(0.909, abs=0.01)
    assert told["ideal_moved_fraction"] == pytest.approx(1 / 11, abs=1e-6)
    assert 1 <= told["max_over_mean"] < 1.1
    assert 0 < told["cv"] < 0.05
    assert (sum(told["counts"]), sum(told["counts_after"]), len(told["counts_after"])) == (20_000, 20_000, 11)


def test_no_one_ring_size_keeps_keys_in_place(capsys: pytest.CaptureFixture[str]) -> None:
    shared = _json(capsys, "--keys", "20000", "--algorithm", "ring_hash", "--ring-size", "10240")
    assert 1.5 < shared["moved_fraction"] / shared["ideal_moved_fraction"] < 1.9
    assert shared["expected_moved_fraction"] == pytest.approx(0.159, abs=0.001)
    own = _json(capsys, "--keys", "20000", "--algorithm", "ring_hash", "--ring-points", "1024")
    assert own["moved_fraction"] / own["ideal_moved_fraction"] < 1.1


def test_several_are_a_list_random_keys_beside_those_with_a_stride(capsys: pytest.CaptureFixture[str]) -> None:
    told = _json(capsys, "--keys", "2000", "--algorithm", "all", "--stride", "10", "--stride", "3")
    assert [one["stride"] for one in told] == [None] * 6 + [10] * 6 + [3] * 6
    assert [one["algorithm"] for one in told[:6]] == [
        "modulo",
        "hash_modulo",
        "hashring",
        "ring_hash",
        "maglev",
        "rendezvous",
    ]
    assert told[6]["max_over_mean"] == 10


def test_without_to_one_node_is_added(capsys: pytest.CaptureFixture[str]) -> None:
    told = _json(capsys, "--nodes", "4", "--keys", "100", "--algorithm", "maglev")
    assert (told["nodes"], told["to"]) == (4, 5)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--nodes", "1", "--to", "1"], id="one node, nothing moves"),
        pytest.param(["--nodes", "3", "--to", "1"], id="all but one go away"),
        pytest.param(["--keys", "1"], id="one key"),
        pytest.param(["--ring-points", "1"], id="one point a node"),
    ],
)
def test_the_smallest_cases_print_a_table(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert _run(*(["--keys", "50"] if "--keys" not in words else []), *words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 1 + 6
    assert lines[2].split()[:3] == ["ALGORITHM", "KEYS", "MAX/MEAN"]


def test_primes_as_a_table_with_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--primes", "--keys", "5000", "--algorithm", "modulo") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "11*" in lines[2].split()
    assert "12" in lines[2].split()
    assert "Random keys: no. No algorithm is more even on primes than luck explains." in lines
    assert "Keys with a stride, modulo: yes with stride 6, 10, but not with 11." in lines


def test_primes_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    told = _json(capsys, "--primes", "--keys", "2400", "--stride", "12", "--algorithm", "modulo")
    assert [(one["stride"], one["primes_more_even"]) for one in told["series"]] == [(None, False), (12, True)]
    assert told["series"][1]["max_over_mean"]["24"] == 12
    assert told["verdict"][1] == "Keys with a stride, modulo: yes with stride 12."


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--stride", "10"], id="placements"),
        pytest.param(["--algorithm", "modulo", "--to", "10"], id="one bar"),
        pytest.param(["--primes"], id="primes"),
    ],
)
def test_plots_are_pictures_of_a_modest_size(tmp_path: Path, words: list[str]) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "plot.png"
    assert _run("--keys", "500", "--plot", str(picture), *words) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert 5_000 < picture.stat().st_size < 150_000


def test_without_matplotlib_one_line_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert _run("--plot", str(tmp_path / "a.png")) == 2
    assert capsys.readouterr() == (
        "",
        "mesh: --plot needs matplotlib, which is not installed: pip install 'loopmesh[report]'\n",
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--algorithm", "md5"], "--algorithm md5: there is no such algorithm; choose modulo,", id="name"),
        pytest.param(["--plot", "picture.txt"], "must end in .png", id="ending"),
        pytest.param(["--plot", "/nowhere/picture.png"], "there is no folder /nowhere", id="folder"),
        pytest.param(["--primes", "--nodes", "7"], "leave out --nodes", id="primes choose the nodes"),
        pytest.param(["--ring-size", "9", "--ring-points", "9"], "is measured by one of them", id="a ring's two sizes"),
        pytest.param(["--nodes", "0"], "--nodes", id="no nodes"),
        pytest.param(["--keys", "0"], "--keys", id="no keys"),
        pytest.param(["--stride", "0"], "--stride", id="no stride"),
    ],
)
def test_bad_usage_is_said_in_a_line(capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    assert _run(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert "Traceback" not in err
