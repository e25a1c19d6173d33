"""Does. Hand what concerns a running pod (logs, exec, attach, port-forward) to the node that runs it."""
