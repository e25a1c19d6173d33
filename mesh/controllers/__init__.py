"""Does. Reconcile loops; each has a plan function that decides."""
