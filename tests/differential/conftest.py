"""The harness of this folder is a few modules beside the tests; make them importable by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
