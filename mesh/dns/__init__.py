"""Names to addresses: the zone decides, the server does."""
