"""Does. Watches the API, translates, compiles, and hands immutable tables to proxies."""
