"""How does a command tell a person that something is wrong? One line, and the right exit code."""


class UserError(Exception):
    """Bad usage or bad input (exit code 2), or something that ran and went wrong (exit code 1)."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code
