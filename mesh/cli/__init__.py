"""Does. One file a verb: printing and exit codes only."""
