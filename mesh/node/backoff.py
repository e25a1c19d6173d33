"""How long does a container wait before it is started again?"""

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """The kubelet's back-off: base_s doubling up to cap_s; quiet for reset_s forgets.

    Source: kubelet defaults 10 s, 5 min, 10 min.
    """

    base_s: float = 10.0
    cap_s: float = 300.0
    reset_s: float = 600.0
    failures: int = 0
    _last: float = float("-inf")

    def next_delay_s(self, now: float, first_at_once: bool = True) -> float:
        """Seconds to wait before the start that follows a failure at `now`.

        first_at_once: what has run is restarted at once the first time; what never came up waits already then.
        """
        if now - self._last > self.reset_s:
            self.failures = 0
        self._last = now
        self.failures += 1
        doublings = self.failures - (2 if first_at_once else 1)
        return float(min(self.base_s * 2.0**doublings, self.cap_s)) if doublings >= 0 else 0.0
