"""Does. What users test with: fixtures, route checks, a manual clock."""
