"""`python -m mesh.proxy -c FILE`: the data plane without the rest of the command line."""

import argparse
import sys

from mesh.proxy.alone import run

parser = argparse.ArgumentParser(prog="mesh proxy", description="Run one proxy on a static Envoy bootstrap.")
parser.add_argument("-c", "--config", required=True, help="an Envoy bootstrap, YAML or JSON")
parser.add_argument("--access-log", action="store_true", help="print a line for each request, as Envoy does")
parser.add_argument("--drain-seconds", type=float, default=10.0, help="how long a stopping proxy finishes requests")
given = parser.parse_args()
sys.exit(run(given.config, drain_s=given.drain_seconds, access_log=given.access_log))
