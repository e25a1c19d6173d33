"""Does. The built-in images: real HTTP servers that containers run."""
