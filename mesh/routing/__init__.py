"""Decides. What happens to one request, on compiled Envoy resources."""
