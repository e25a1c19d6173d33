"""Does. The whole world as one async context manager."""
