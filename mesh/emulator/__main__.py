"""What does each process of a mesh run? `python -m mesh.emulator control|node|gateway ...`; `mesh up` starts them."""

import gc
import logging
import os
import sys

gc.disable()  # until all is imported: looking through what only grows costs a tenth of the start

from mesh.emulator.settings import Settings  # noqa: E402


def main() -> None:
    role, *rest = sys.argv[1:]
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if role == "control":
        from mesh.emulator.control import run_control

        runner = run_control(Settings.from_json(rest[1]), os.fdopen(int(rest[0]), "w", buffering=1))
    elif role == "node":
        from mesh.emulator.worker import run_node

        runner = run_node(Settings.from_json(rest[1]), int(rest[0]))
    else:
        from mesh.emulator.gateway import run_gateway

        runner = run_gateway(Settings.from_json(rest[0]))
    # What was imported stays; and objects that live as long as their pod are not worth looking at again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 20)
    gc.enable()
    try:
        import uvloop

        uvloop.run(runner)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
