"""What does the server add to an object, or refuse, because of what else is stored?

The part of Kubernetes' admission plugins that people meet: protection of storage in use, default classes, and which
claims may grow.
"""

from collections.abc import Callable, Iterable
from typing import Any

from mesh.api.errors import Forbidden
from mesh.api.quantities import amount
from mesh.api.scheme import Kind
from mesh.api.storage import CLAIM_PROTECTION, DEFAULT_CLASS, OLD_DEFAULT_CLASS, VOLUME_PROTECTION

Json = dict[str, Any]
Stored = Callable[[str], Iterable[Json]]
"""Resource name such as `storageclasses.storage.k8s.io` -> all stored objects of it."""
_PROTECTION = {"PersistentVolume": VOLUME_PROTECTION, "PersistentVolumeClaim": CLAIM_PROTECTION}
_DEFAULT_INGRESS = "ingressclass.kubernetes.io/is-default-class"
_OLD_INGRESS_CLASS = "kubernetes.io/ingress.class"
_CLASSES = "storageclasses.storage.k8s.io"


def on_create(kind: Kind, obj: Json, stored: Stored) -> None:
    """Complete a new, defaulted object; changes it."""
    if kind.kind in _PROTECTION:
        _protect(obj["metadata"], _PROTECTION[kind.kind])
    if kind.kind == "PersistentVolumeClaim":
        _default_class(obj, stored)
    if kind.kind == "Ingress":
        _default_ingress_class(obj, stored)


def on_update(kind: Kind, obj: Json, old: Json, stored: Stored) -> None:
    """Judge a change of a defaulted object. Raises Forbidden."""
    if kind.kind == "PersistentVolumeClaim":
        _growth(obj, old, stored)


def _protect(meta: Json, finalizer: str) -> None:
    listed = meta.setdefault("finalizers", [])
    if isinstance(listed, list) and finalizer not in listed:
        listed.append(finalizer)


def _default_class(claim: Json, stored: Stored) -> None:
    """A claim that names no class gets the default one; of several, the newest, and by name among equals."""
    spec = claim.get("spec")
    if not isinstance(spec, dict) or spec.get("storageClassName") is not None:
        return
    marked = [cls["metadata"] for cls in stored(_CLASSES) if _says(cls, DEFAULT_CLASS) or _says(cls, OLD_DEFAULT_CLASS)]
    if marked:
        newest = max(str(meta.get("creationTimestamp", "")) for meta in marked)
        names = [str(meta["name"]) for meta in marked if str(meta.get("creationTimestamp", "")) == newest]
        spec["storageClassName"] = min(names)


def _default_ingress_class(ingress: Json, stored: Stored) -> None:
    spec = ingress.get("spec")
    annotations = ingress["metadata"].get("annotations")
    if not isinstance(spec, dict) or spec.get("ingressClassName") is not None:
        return
    if isinstance(annotations, dict) and _OLD_INGRESS_CLASS in annotations:
        return
    marked = [
        cls["metadata"]["name"] for cls in stored("ingressclasses.networking.k8s.io") if _says(cls, _DEFAULT_INGRESS)
    ]
    if marked:
        spec["ingressClassName"] = min(marked)


def _growth(claim: Json, old: Json, stored: Stored) -> None:
    """A claim grows only where its class says that volumes can."""
    before, after = _wanted(old), _wanted(claim)
    if before is None or after is None or after <= before or (old.get("status") or {}).get("phase") != "Bound":
        return
    name = old["spec"].get("storageClassName")
    if any(cls["metadata"]["name"] == name and cls.get("allowVolumeExpansion") for cls in stored(_CLASSES)):
        return
    named = claim["metadata"]["name"]
    raise Forbidden(
        f'persistentvolumeclaims "{named}" is forbidden: only dynamically provisioned pvc can be resized and the '
        "storageclass that provisions the pvc must support resize",
        {"name": named, "kind": "persistentvolumeclaims"},
    )


def _wanted(claim: Json) -> float | None:
    try:
        return float(amount(claim["spec"]["resources"]["requests"]["storage"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None  # judged elsewhere


def _says(obj: Json, annotation: str) -> bool:
    return (obj["metadata"].get("annotations") or {}).get(annotation) == "true"
