"""What may a user want to know about a configuration that is valid all the same?

Codes are those of Istio's analyzers where Istio has one for the case; those of our own start with MESH.
"""

from dataclasses import dataclass
from typing import Literal

Level = Literal["Error", "Warning", "Info"]

NOT_FOUND = ("IST0101", "Warning")
"""A name that refers to nothing."""
UNREACHABLE = ("IST0130", "Warning")
"""A rule that no request can reach, because an earlier one takes everything."""
NO_PODS = ("IST0101", "Warning")
"""Labels that no pod of the service has: Istio says the same of a missing subset."""
PORT_TAKEN = ("MESH001", "Error")
"""A port that the sidecar needs for itself."""
NOT_EXECUTED = ("MESH002", "Warning")
"""A field or annotation that is accepted and does nothing here."""
PORT_MISMATCH = ("MESH003", "Warning")
"""Traffic sent to a service that lacks the port."""

NO_ADDRESS = ("MESH004", "Warning")
"""An address of the gateway that cannot be bound."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One remark about one field of one object."""

    kind: str
    namespace: str
    name: str
    field: str
    code: str
    level: str
    message: str

    def __str__(self) -> str:
        at = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.level} [{self.code}] ({self.kind} {at}) {self.field}: {self.message}"
