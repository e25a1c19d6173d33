"""Decides. The nouns: typed kinds, the scheme, selectors, defaults, validation and errors."""
