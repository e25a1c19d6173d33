"""Does. The sidecar and gateway: accept, find the route, pick, send, answer."""
