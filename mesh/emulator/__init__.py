"""Does. The whole world: settings, the parts of each process, and all of it as one async context manager."""
