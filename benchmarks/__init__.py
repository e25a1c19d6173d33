"""Does. What a request costs: `mesh proxy` beside Envoy, nginx, HAProxy and an aiohttp proxy on one route table."""
