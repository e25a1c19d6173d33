"""Decides. From Kubernetes objects to Envoy v3 resources: one file a vocabulary."""
