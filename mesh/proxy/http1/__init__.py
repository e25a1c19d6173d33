"""Decides. HTTP/1 as bytes: heads, framing, status lines, byte for byte as Envoy reads and writes them."""
