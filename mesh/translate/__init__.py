"""Decides. Which Envoy v3 configuration do these objects mean?

`snapshot` indexes what the API holds; `sidecar` and `gateway` turn one snapshot into Listeners, RouteConfigurations,
Clusters and ClusterLoadAssignments in Envoy's own protobuf types. One file a vocabulary: `routerule`, `ingress`,
`clusters`. Equal snapshots give equal bytes. Nothing here waits, looks at a clock or knows who runs the result.
"""
