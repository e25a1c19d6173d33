"""Do the pods of a StatefulSet come and go in the order that OrderedReady promises, as a watch tells it?

Rules, from Kubernetes' documentation: at most one pod a name; a pod is made only while all below it are ready; only one
pod goes at a time; and the one that goes is the highest, or is of another revision while all above it are ready.
"""

from dataclasses import dataclass, field

from mesh.api.core import Pod


@dataclass(frozen=True, slots=True)
class Seen:
    """A pod as it was last told of."""

    uid: str
    ready: bool
    leaving: bool
    revision: str


@dataclass(slots=True)
class Order:
    """Reads watch events of one set's pods, oldest first. start: the lowest ordinal.

    wrong: every breach, in words.  story: what happened, `+2` for a pod that was made, `-2` for one told to go and
    `x2` for one that is gone.  excused: uids of pods that go because somebody killed them or their node.
    """

    start: int = 0
    wrong: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    excused: set[str] = field(default_factory=set)
    pods: dict[int, Seen] = field(default_factory=dict)

    def read(self, type_: str, pod: Pod) -> None:
        """One event: ADDED, MODIFIED or DELETED."""
        number = int(pod.name.rpartition("-")[2])
        known = self.pods.get(number)
        uid = pod.metadata.uid or ""
        if type_ == "DELETED":
            if known is not None and known.uid == uid:
                if not known.leaving:
                    self._goes(number, known)
                self.story.append(f"x{number}")
                del self.pods[number]
            return
        now = Seen(
            uid=uid,
            ready=pod.ready and pod.status.phase == "Running",
            leaving=pod.metadata.deletion_timestamp is not None,
            revision=pod.metadata.label_map.get("controller-revision-hash", ""),
        )
        if known is None or known.uid != uid:
            self._comes(number, known)
        elif now.leaving and not known.leaving:
            self._goes(number, known)
        self.pods[number] = now

    def _comes(self, number: int, known: Seen | None) -> None:
        self.story.append(f"+{number}")
        if known is not None:
            self.wrong.append(f"{number} was made while another {number} was there")
        for below in range(self.start, number):
            seen = self.pods.get(below)
            if seen is None or not seen.ready or seen.leaving:
                self.wrong.append(f"{number} was made before {below} was ready: {self._shown()}")

    def _goes(self, number: int, known: Seen) -> None:
        self.story.append(f"-{number}")
        if known.uid in self.excused:
            return
        others = [other for other, seen in self.pods.items() if seen.leaving and other != number]
        if others:
            self.wrong.append(f"{number} was told to go while {others} went: {self._shown()}")
        for above, seen in self.pods.items():
            if above > number and (not seen.ready or seen.revision == known.revision):
                self.wrong.append(f"{number} was told to go before {above}: {self._shown()}")

    def _shown(self) -> str:
        marks = (
            f"{number}{'-' if seen.leaving else '' if seen.ready else '?'}"
            for number, seen in sorted(self.pods.items())
        )
        return " ".join(marks)
