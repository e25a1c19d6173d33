"""Does. A kubelet in small: pods become sockets and processes, probes become status."""
