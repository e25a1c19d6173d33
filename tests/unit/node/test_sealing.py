import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mesh.node import read_only, sealing
from mesh.node.kubelet.beside import surroundings
from mesh.node.read_only import Guard
from mesh.node.sealing import Room

pytestmark = pytest.mark.skipif(not sealing.possible(), reason="no mounts of its own for a process on this system")


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Below /tmp, as pytest's folders are, which is what a container must not see of the machine's."""
    for name in ("state/volume", "state/tmp", "state/shm", "state/empty", "home"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "home" / "precious").write_text("precious")
    state = tmp_path / "state"
    own = {"/tmp": state / "tmp", "/dev/shm": state / "shm"}
    return Room([state / "volume"], [], own, [state], [state, tmp_path / "home"], state / "empty")


def run(room: Room, script: str, *words: object, extra: Guard | None = None) -> subprocess.CompletedProcess[str]:
    guard = sealing.seal(room)

    def both() -> None:
        guard()
        if extra is not None:
            extra()

    return subprocess.run(
        ["sh", "-c", script, *map(str, words)], cwd=room.writable[0], preexec_fn=both, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_files_of_the_machine_can_be_read_and_not_changed(room: Room, tmp_path: Path) -> None:
    home = tmp_path / "home"
    script = (
        "cat $0/precious; rm -rf $0 2>&1; echo x > $0/precious; touch $0/new; chmod 0 $0/precious; mkdir /sealed-test"
    )
    done = run(room, script, home)
    assert done.stdout.startswith("precious")
    assert (done.stdout + done.stderr).lower().count("read-only file system") == 5
    assert {path.name: path.read_text() for path in home.iterdir()} == {"precious": "precious"}
    assert not os.path.exists("/sealed-test")


def test_what_is_its_own_can_be_written(room: Room) -> None:
    script = "set -e; echo v > here; echo t > /tmp/sealed-t; echo s > /dev/shm/sealed-s; echo n > /dev/null; echo $(cat /tmp/sealed-t here); ls /run/user"
    done = run(room, script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "t v\n", "")
    assert (room.own["/tmp"] / "sealed-t").read_text() == "t\n"
    assert (room.writable[0] / "here").read_text() == "v\n"
    assert not os.path.exists("/tmp/sealed-t")
    assert not os.path.exists("/dev/shm/sealed-s")


def test_what_is_read_only_of_its_own_stays_so(room: Room) -> None:
    volume = room.writable[0]
    (volume / "fixed").mkdir()
    done = run(
        Room([volume], [volume / "fixed"], room.own, room.roots, room.seen, room.empty), "touch fixed/x; touch y"
    )
    assert (os.listdir(volume / "fixed"), sorted(os.listdir(volume))) == ([], ["fixed", "y"]), done


def test_a_link_that_a_container_left_leads_nowhere(room: Room, tmp_path: Path) -> None:
    link = tmp_path / "state" / "link"
    link.symlink_to(tmp_path / "home")
    with pytest.raises(subprocess.SubprocessError):
        run(Room([room.writable[0], link], [], room.own, room.roots, room.seen, room.empty), "rm -rf $0/*", link)
    assert os.listdir(tmp_path / "home") == ["precious"]


@pytest.mark.skipif(os.geteuid() != 0, reason="of what root could do")
@pytest.mark.parametrize("way", ["mount -o remount,bind,rw /", "umount -l $0", "ls /proc/1/root/", "mknod d b 7 0"])
def test_root_cannot_take_it_back(room: Room, way: str) -> None:
    assert run(room, way, room.writable[0]).returncode != 0


def test_one_by_one_where_the_kernel_cannot_do_it_at_once(room: Room, tmp_path: Path, monkeypatch: Any) -> None:
    class Old:
        unshare, mount, prctl = read_only.LIBC.unshare, read_only.LIBC.mount, read_only.LIBC.prctl

        @staticmethod
        def syscall(*_: object) -> int:
            ctypes.set_errno(38)
            return -1

    monkeypatch.setattr(read_only, "LIBC", Old)
    done = run(room, "touch x; echo x > /dev/null && touch $0/new /dev/new /proc/new /etc/new", tmp_path / "home")
    assert done.stderr.lower().count("read-only file system") >= 3, done
    assert os.listdir(room.writable[0]) == ["x"]
    assert os.listdir(tmp_path / "home") == ["precious"]


UNPRIVILEGED = """
# The interpreter may lie where only root may look: import first.
import os, subprocess, sys
from pathlib import Path
from mesh.node import read_only, sealing
from mesh.node.sealing import Room
os.setgroups([]); os.setgid(65534); os.setuid(65534)
read_only.LIBC.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: as a process that began like this
if not sealing.possible(): print("impossible"); sys.exit()
at = Path(sys.argv[1])
room = Room([at / "v"], [], {"/tmp": at / "t"}, [at], [at], at / "e")
script = "touch ok /tmp/ok; echo > /dev/null && echo null; touch $0/no 2>/dev/null || echo refused; unshare -Urm mount -o remount,bind,rw / 2>/dev/null || echo locked"
print(subprocess.run(["sh", "-c", script, at], cwd=at / "v", preexec_fn=sealing.seal(room), capture_output=True, text=True))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes somebody else")
def test_without_privileges(room: Room, tmp_path: Path) -> None:
    at = Path("/var/tmp") / f"sealing-{os.getpid()}"
    for name in ("v", "t", "e"):
        (at / name).mkdir(parents=True)
    try:
        for path in (at, *at.iterdir()):
            os.chown(path, 65534, 65534)
        done = subprocess.run([sys.executable, "-c", UNPRIVILEGED, at], capture_output=True, text=True, check=False)
        if "impossible" in done.stdout:
            pytest.skip("not on this system")
        assert r"stdout='null\nrefused\nlocked\n'" in done.stdout, done
        own = set(os.listdir(at / "t")) - set(Path.cwd().parts)  # a checkout below /tmp shows
        assert (os.listdir(at / "v"), own, os.path.exists(at / "no")) == (["ok"], {"ok"}, False)
    finally:
        subprocess.run(["rm", "-rf", at], check=True)


async def test_a_manifest_cannot_hurt(world: Any, tmp_path_factory: Any) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "precious").write_text("precious")
    target = Path("/var/tmp") / f"sealed-{os.getpid()}"
    await world.node()
    world.make(
        image="busybox", command=["sh", "-c", f"rm -rf {home}; touch {target}; date > /data/x; date > /tmp/sealed-y; sleep 60"],
        initContainers=[{"name": "clean", "image": "busybox", "command": ["sh", "-c", f"rm -rf {home}/* /data/*; touch /tmp/sealed-z"]}],
        lifecycle={"postStart": {"exec": {"command": ["sh", "-c", f"touch {target}; touch /data/hook; ls /tmp > /data/seen"]}}},
        readinessProbe={"exec": {"command": ["sh", "-c", f"touch {target}; cat /tmp/sealed-y /data/hook"]}, "periodSeconds": 1},
        volumes=[{"name": "v", "emptyDir": {}}], volumeMounts=[{"name": "v", "mountPath": "/data"}],
    )  # fmt: skip
    await world.until(lambda pod: pod.ready)
    (worker,) = world.agents[0].pods
    where = worker.host.volumes.directory(worker.pod, worker.pod.spec.volumes[0])
    assert sorted(os.listdir(where)) == ["hook", "seen", "x"]
    assert "sealed-z" not in (where / "seen").read_text(), "another container's /tmp"
    assert (os.listdir(home), target.exists(), os.path.exists("/tmp/sealed-y")) == (["precious"], False, False)
    words, env, _, guard = surroundings(worker.containers[0], ["cat", "/tmp/sealed-y"])
    assert (guard, os.path.exists(words[1]), env["TMPDIR"]) == (None, True, os.path.dirname(words[1]))


def _waiting(pod: Any) -> dict[str, Any]:
    return pod.status.container_statuses[0].state.waiting or {} if pod.status.container_statuses else {}


@pytest.mark.parametrize(("images", "runs"), [({}, False), ({"busybox": "run"}, True)])
async def test_where_the_system_cannot_do_it(world: Any, monkeypatch: Any, images: dict[str, str], runs: bool) -> None:
    monkeypatch.setattr(sealing, "possible", lambda: False)
    await world.node(images=images)
    world.make(image="busybox", command=["true"], restartPolicy="Never")
    if runs:
        await world.until(lambda pod: pod.status.phase == "Succeeded")
    else:
        pod = await world.until(lambda pod: _waiting(pod).get("reason") == "CreateContainerConfigError")
        assert "--image busybox=run" in _waiting(pod)["message"]
    said = await world.events("Failed" if not runs else "NotExecuted")
    assert [event.type for event in said][:1] == ["Warning"]
