"""Decides. Which endpoint of a cluster takes the next request."""
