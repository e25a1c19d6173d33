import asyncio
from pathlib import Path

from mesh.proxy.access_log import LogSink, lines_of
from mesh.routing.decision import Decision
from mesh.routing.spec import AccessLogSpec


async def test_lines_reach_the_file_soon_and_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    sinks: dict[str, LogSink] = {}
    spec = AccessLogSpec(path=str(path), line=lambda decision: b"%d\n" % decision.response_code)
    (first,) = lines_of((spec,), None, sinks)
    (second,) = lines_of((spec,), None, sinks)
    decision = Decision(0.0)
    decision.response_code = 200
    first(decision)
    await asyncio.sleep(0.3)
    assert path.read_bytes() == b"200\n"
    second(decision)
    assert len(sinks) == 1, "listeners that name one file share it"
    sinks[str(path)].close()
    assert path.read_bytes() == b"200\n200\n"


def test_a_listener_without_logs_uses_the_callers() -> None:
    seen: list[bytes] = []
    (log,) = lines_of((), seen.append, {})
    log(Decision(0.0))
    assert seen[0].endswith(b'"-" "-" "-" "-" "-"\n')
    assert lines_of((), None, {}) == ()
