"""Does. The Kubernetes API over HTTP: paths, patches, watches, Status."""
