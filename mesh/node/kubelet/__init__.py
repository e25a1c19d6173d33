"""Does. What a node answers about its pods: their logs, commands beside them, and connections into them."""
