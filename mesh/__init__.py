"""A service mesh, and the Kubernetes around it, emulated on one machine with real sockets."""
