"""When is a finding worth telling?

While objects arrive one by one, much looks wrong for a moment: a rule comes before its service, labels before their
pods. A finding is told once, when it has stood for a while; if it goes away and comes back, it is told again.
"""

from collections.abc import Iterable

from mesh.translate.findings import Finding

SETTLE_S = 5.0


class Advice:
    """Remembers since when each finding stands, and which were told."""

    def __init__(self, settle_s: float = SETTLE_S) -> None:
        self._settle_s = settle_s
        self._since: dict[Finding, float] = {}
        self._told: set[Finding] = set()

    def due(self, findings: Iterable[Finding], now: float) -> list[Finding]:
        """Those of the present findings that are to be told now."""
        self._since = {finding: self._since.get(finding, now) for finding in findings}
        self._told &= self._since.keys()
        due = [
            finding
            for finding, since in self._since.items()
            if now - since >= self._settle_s and finding not in self._told
        ]
        self._told.update(due)
        return due

    @property
    def waiting(self) -> bool:
        """Whether some finding stands that was not told yet."""
        return len(self._told) < len(self._since)
