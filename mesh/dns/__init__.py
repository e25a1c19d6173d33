"""Mixed. Names to addresses: `view`, `zone` and `message` decide, `server` and `feed` do."""
