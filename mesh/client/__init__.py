"""Does. How everybody in the house talks to the API: typed verbs, informers, work queues."""
