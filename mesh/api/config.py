"""What are a ConfigMap, a Secret, a ServiceAccount, a ResourceQuota and a Lease?"""

from pydantic import Field

from mesh.api.meta import Model, Object, Raw


class ConfigMap(Object):
    data: dict[str, str] | None = None
    binary_data: dict[str, str] | None = None
    immutable: bool | None = None


class Secret(Object):
    """data: base64 text by key. stringData is folded into it before it is stored."""

    data: dict[str, str] | None = None
    type: str | None = None
    immutable: bool | None = None


class ServiceAccount(Object):
    secrets: list[Raw] | None = None
    image_pull_secrets: list[Raw] | None = None
    automount_service_account_token: bool | None = None


class ResourceQuotaSpec(Model):
    hard: dict[str, int | str] | None = None


class ResourceQuota(Object):
    spec: ResourceQuotaSpec = Field(default_factory=ResourceQuotaSpec)
    status: Raw | None = None


class LeaseSpec(Model):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(Object):
    spec: LeaseSpec = Field(default_factory=LeaseSpec)
