"""Does. Watches the API and keeps the proxies of this process up to date.

`configuration` (plain functions over caches) turns the objects into compiled, immutable tables; `source` follows the
API, and hands each proxy new tables when its own changed. It stands between translate and routing, which do not know
each other.
"""
