"""What does this room say about a configuration that it will not execute?

One exception, raised at compile time only. The field path is the one that people find in their own
file (`static_resources.listeners[0].filter_chains[0].transport_socket`), the message says what would be right.
"""


class Refused(Exception):
    """A configuration asks for something that the proxy does not execute, or is wrong."""

    def __init__(self, field_path: str, message: str) -> None:
        super().__init__(f"{field_path}: {message}" if field_path else message)
        self.field_path = field_path
        self.message = message


def join(at: str, field: str) -> str:
    """The path of `field` inside the object at `at` (either may be empty)."""
    if not at or not field:
        return at or field
    return f"{at}{field}" if field.startswith("[") else f"{at}.{field}"
