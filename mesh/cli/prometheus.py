"""`mesh prometheus-config`: a whole configuration with which a Prometheus sees the mesh."""

from typing import Annotated

import typer

from mesh.cli import output, state

Rules = list[dict[str, object]]
# Learners annotate pods with prometheus.io/scrape and prometheus.io/port; these are the rules that everybody copies.
_ANNOTATED: Rules = [
    {
        "source_labels": ["__meta_kubernetes_pod_annotation_prometheus_io_scrape"],
        "action": "keep",
        "regex": "true",
    },
    {
        "source_labels": ["__meta_kubernetes_pod_annotation_prometheus_io_path"],
        "action": "replace",
        "target_label": "__metrics_path__",
        "regex": "(.+)",
    },
    {
        "source_labels": ["__address__", "__meta_kubernetes_pod_annotation_prometheus_io_port"],
        "action": "replace",
        "regex": r"([^:]+)(?::\d+)?;(\d+)",
        "replacement": "$1:$2",
        "target_label": "__address__",
    },
    {"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)"},
]
_NAMES: Rules = [
    {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
]


def config(api: str, interval_s: int) -> dict[str, object]:
    """The configuration as plain data. api: the API server's URL."""

    def job(name: str, page: str, relabel: Rules) -> dict[str, object]:
        return {
            "job_name": name,
            "http_sd_configs": [{"url": f"{api}/sd/{page}", "refresh_interval": f"{interval_s}s"}],
            "relabel_configs": relabel,
        }

    return {
        "global": {"scrape_interval": f"{interval_s}s", "evaluation_interval": f"{interval_s}s"},
        "scrape_configs": [
            job("envoy-stats", "proxies", [*_NAMES]),
            job("kubernetes-pods", "pods", [*_ANNOTATED, *_NAMES]),
        ],
    }


def prometheus_config(
    name: Annotated[str | None, typer.Option("--name", help="Which mesh.")] = None,
    interval_s: Annotated[int, typer.Option("--interval", min=1, max=300, help="Seconds between scrapes.")] = 5,
) -> None:
    """Print a Prometheus configuration: mesh prometheus-config > prometheus.yml."""
    output.as_yaml(config(state.choose(name).api, interval_s))
