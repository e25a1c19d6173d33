"""Decides. Which series exist, and how a finished request is counted."""
