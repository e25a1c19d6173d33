"""Does. Names to addresses: `view`, `zone` and `message` decide, `server` and `feed` carry it out."""
