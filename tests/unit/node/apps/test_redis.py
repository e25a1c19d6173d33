import asyncio
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mesh.node.apps import redis
from mesh.node.apps.context import AppContext, BadSetting
from mesh.node.images import ImageTable
from mesh.node.process import Program
from tests.tools import program

HOST = f"127.231.{random.randrange(256)}.{random.randrange(1, 255)}"


def context(volume: Path, **changes: Any) -> AppContext:
    given: dict[str, Any] = {
        "pod_name": "redis-0", "pod_ip": "", "node_name": "", "namespace": "default", "container_name": "redis",
        "image": "redis:7", "address": HOST, "ports": (6379,), "volume_dir": volume, "volumes": {"/data": volume},
    }  # fmt: skip
    return AppContext(**{**given, **changes})


@pytest.fixture
def anywhere(tmp_path: Path) -> str:
    """A PATH with something of that name, so that words can be looked at where no redis is installed."""
    fake = tmp_path / "bin" / "redis-server"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    return str(fake.parent)


@pytest.mark.parametrize(
    ("command", "args", "said"),
    [
        pytest.param((), (), [], id="nothing"),
        pytest.param((), ("--maxmemory", "2mb"), ["--maxmemory", "2mb"], id="args"),
        pytest.param(("redis-server",), ("--appendonly", "no"), ["--appendonly", "no"], id="the program's name"),
        pytest.param((), ("redis-server", "--loglevel", "debug"), ["--loglevel", "debug"], id="its name among the args"),
        pytest.param(("docker-entrypoint.sh", "redis-server"), (), [], id="the image's own script"),
        pytest.param(("/usr/local/bin/redis-server", "--save", "60", "1"), (), ["--save", "60", "1"], id="several values"),
        pytest.param(("redis-server", "--port", "1", "--bind", "0.0.0.0", "::", "--dir", "/", "--daemonize", "yes"), (),
                     [], id="what the mesh decides"),
    ],
)  # fmt: skip
def test_what_is_said_to_redis(
    anywhere: str, tmp_path: Path, command: Sequence[str], args: Sequence[str], said: list[str]
) -> None:
    start = redis.start(command, args, context(tmp_path), None, anywhere)
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    ours = ["--bind", HOST, "--port", "6379", "--dir", str(tmp_path), "--protected-mode", "no",
            "--daemonize", "no", "--logfile", "", "--pidfile", ""]  # fmt: skip
    assert list(start.words[1:]) == [*durable, *said, *ours]
    assert start.folder == tmp_path


def test_a_configuration_file_on_a_volume(anywhere: str, tmp_path: Path) -> None:
    place = context(tmp_path, volumes={"/redis-master": tmp_path / "conf"})
    start = redis.start(("redis-server", "/redis-master/redis.conf"), (), place, None, anywhere)
    assert start.words[1] == str(tmp_path / "conf" / "redis.conf")


@pytest.mark.parametrize(("declared", "port"), [((), 6379), ((6379, 80), 6379), ((7000,), 7000), ((7000, 8000), 7000)])
def test_port(declared: tuple[int, ...], port: int) -> None:
    assert redis.port(declared) == port


def test_redis_cli_asks_its_own_container(anywhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (Path(anywhere) / "redis-cli").write_text('#!/bin/sh\necho "$@"\n')
    (Path(anywhere) / "redis-cli").chmod(0o755)
    monkeypatch.setenv("PATH", f"{anywhere}:/usr/bin:/bin")
    start = redis.start((), (), context(tmp_path), tmp_path / "tools", anywhere)
    env = {**start.env, "HOST": HOST, "PORT": "6379"}
    done = subprocess.run(["sh", "-c", "redis-cli ping"], env=env, capture_output=True, text=True, timeout=10)
    assert done.stdout == f"-h {HOST} -p 6379 ping\n"


def test_another_command_is_refused(anywhere: str, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="command 'sh': redis is started as redis-server with arguments"):
        redis.start(("sh", "-c", "redis-server"), (), context(tmp_path), None, anywhere)


def test_where_there_is_no_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(redis.NoRedis, match="redis-server is not on this machine; install it"):
        redis.start((), (), context(tmp_path), None)


def talk(*words: str) -> str:
    """What redis-cli prints; a server that is just starting is asked again."""
    client = program("redis-cli", "package redis-tools")
    done = subprocess.run([client, "-h", HOST, "-p", "6379", *words], capture_output=True, text=True, timeout=10)
    return done.stdout.strip() or done.stderr.strip()


@pytest.mark.live
async def test_no_acknowledged_write_is_lost_when_it_is_killed(tmp_path: Path) -> None:
    program("redis-server", "package redis-server")
    volume = tmp_path / "data"
    volume.mkdir()
    image = ImageTable().find("redis:7")
    written = 0
    for _ in range(2):
        start = image.start((), (), context(volume))
        assert start is not None
        running = await Program.start(start.words, start.env, tmp_path / "log")
        try:
            async with asyncio.timeout(10):
                while await asyncio.to_thread(talk, "ping") != "PONG":
                    await asyncio.sleep(0.02)
            assert await asyncio.to_thread(talk, "dbsize") == str(written)
            for _ in range(5):
                assert await asyncio.to_thread(talk, "set", f"key-{written}", "value") == "OK"
                written += 1
        finally:
            running._signal(signal.SIGKILL)
            await running.wait()
    assert sys.platform != "linux" or (volume / "appendonlydir").exists() or (volume / "appendonly.aof").exists()
