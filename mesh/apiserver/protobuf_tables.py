"""Which number has each field in Kubernetes' protobuf messages?

One line a message: `NUMBER:NAME` is text, `NUMBER:NAME:TYPE` something else. Types: int, bool, map (text to text),
bytes-map (text to base64), amounts (text to quantity), Amount (a quantity), Time, Number (a number or text), skip, or
a message; `[]` after it repeats, `*` means that zero is a value and not
absence, `^` that the fields stand in the message around it. Only what kubectl creates is listed; the rest is refused
by name.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WireField:
    """One field of a message."""

    name: str
    type: str = "text"
    repeated: bool = False
    zero_counts: bool = False
    inline: bool = False


_TEXT = {
    "ObjectMeta": "1:name 2:generateName 3:namespace 4:selfLink 5:uid 6:resourceVersion 7:generation:int "
    "8:creationTimestamp:Time 9:deletionTimestamp:Time 10:deletionGracePeriodSeconds:int* 11:labels:map "
    "12:annotations:map 13:ownerReferences:OwnerReference[] 14:finalizers:text[] 17:managedFields:skip",
    "OwnerReference": "1:kind 3:name 4:uid 5:apiVersion 6:controller:bool* 7:blockOwnerDeletion:bool*",
    "LabelSelector": "1:matchLabels:map 2:matchExpressions:LabelSelectorRequirement[]",
    "LabelSelectorRequirement": "1:key 2:operator 3:values:text[]",
    "Namespace": "1:metadata:ObjectMeta 2:spec:NamespaceSpec 3:status:skip",
    "NamespaceSpec": "1:finalizers:text[]",
    "Deployment": "1:metadata:ObjectMeta 2:spec:DeploymentSpec 3:status:skip",
    "DeploymentSpec": "1:replicas:int* 2:selector:LabelSelector 3:template:PodTemplateSpec "
    "4:strategy:DeploymentStrategy 5:minReadySeconds:int 6:revisionHistoryLimit:int* 7:paused:bool "
    "9:progressDeadlineSeconds:int*",
    "DeploymentStrategy": "1:type 2:rollingUpdate:RollingUpdateDeployment",
    "RollingUpdateDeployment": "1:maxUnavailable:Number* 2:maxSurge:Number*",
    "Job": "1:metadata:ObjectMeta 2:spec:JobSpec 3:status:skip",
    "JobSpec": "1:parallelism:int* 2:completions:int* 3:activeDeadlineSeconds:int* 4:selector:LabelSelector "
    "5:manualSelector:bool* 6:template:PodTemplateSpec 7:backoffLimit:int* 8:ttlSecondsAfterFinished:int* "
    "9:completionMode 10:suspend:bool* 12:backoffLimitPerIndex:int* 13:maxFailedIndexes:int* 14:podReplacementPolicy "
    "15:managedBy",
    "StatefulSet": "1:metadata:ObjectMeta 2:spec:StatefulSetSpec 3:status:skip",
    "StatefulSetSpec": "1:replicas:int* 2:selector:LabelSelector 3:template:PodTemplateSpec "
    "4:volumeClaimTemplates:PersistentVolumeClaim[] 5:serviceName 6:podManagementPolicy "
    "7:updateStrategy:SetUpdateStrategy 8:revisionHistoryLimit:int* 9:minReadySeconds:int "
    "10:persistentVolumeClaimRetentionPolicy:RetentionPolicy 11:ordinals:Ordinals",
    "SetUpdateStrategy": "1:type 2:rollingUpdate:RollingUpdateStatefulSet",
    "RollingUpdateStatefulSet": "1:partition:int* 2:maxUnavailable:Number*",
    "RetentionPolicy": "1:whenDeleted 2:whenScaled",
    "Ordinals": "1:start:int",
    "DaemonSet": "1:metadata:ObjectMeta 2:spec:DaemonSetSpec 3:status:skip",
    "DaemonSetSpec": "1:selector:LabelSelector 2:template:PodTemplateSpec 3:updateStrategy:DaemonUpdateStrategy "
    "4:minReadySeconds:int 6:revisionHistoryLimit:int*",
    "DaemonUpdateStrategy": "1:type 2:rollingUpdate:RollingUpdateDeployment",
    "PersistentVolumeClaim": "1:metadata:ObjectMeta 2:spec:ClaimSpec 3:status:skip",
    "ClaimSpec": "1:accessModes:text[] 2:resources:ClaimResources 3:volumeName 4:selector:LabelSelector "
    "5:storageClassName:text* 6:volumeMode",
    "ClaimResources": "1:limits:amounts 2:requests:amounts",
    "PersistentVolume": "1:metadata:ObjectMeta 2:spec:VolumeSpec 3:status:skip",
    "VolumeSpec": "1:capacity:amounts 2:persistentVolumeSource:VolumeSource^ 3:accessModes:text[] "
    "4:claimRef:ObjectReference 5:persistentVolumeReclaimPolicy 6:storageClassName 7:mountOptions:text[] 8:volumeMode",
    "VolumeSource": "3:hostPath:HostPathSource",
    "HostPathSource": "1:path 2:type",
    "StorageClass": "1:metadata:ObjectMeta 2:provisioner 3:parameters:map 4:reclaimPolicy 5:mountOptions:text[] "
    "6:allowVolumeExpansion:bool* 7:volumeBindingMode",
    "IngressClass": "1:metadata:ObjectMeta 2:spec:IngressClassSpec",
    "IngressClassSpec": "1:controller",
    "PodTemplateSpec": "1:metadata:ObjectMeta 2:spec:PodSpec",
    "PodSpec": "2:containers:Container[] 3:restartPolicy 4:terminationGracePeriodSeconds:int* 6:dnsPolicy "
    "7:nodeSelector:map 8:serviceAccountName 9:serviceAccount 10:nodeName 11:hostNetwork:bool 16:hostname "
    "17:subdomain 19:schedulerName 20:initContainers:Container[]",
    "Container": "1:name 2:image 3:command:text[] 4:args:text[] 5:workingDir 6:ports:ContainerPort[] 7:env:EnvVar[] "
    "13:terminationMessagePath 14:imagePullPolicy 16:stdin:bool 17:stdinOnce:bool 18:tty:bool "
    "20:terminationMessagePolicy",
    "ContainerPort": "1:name 2:hostPort:int 3:containerPort:int 4:protocol 5:hostIP",
    "EnvVar": "1:name 2:value",
    "Service": "1:metadata:ObjectMeta 2:spec:ServiceSpec 3:status:skip",
    "ServiceSpec": "1:ports:ServicePort[] 2:selector:map 3:clusterIP 4:type 5:externalIPs:text[] 7:sessionAffinity "
    "8:loadBalancerIP 10:externalName 11:externalTrafficPolicy 12:healthCheckNodePort:int "
    "13:publishNotReadyAddresses:bool 18:clusterIPs:text[] 19:ipFamilies:text[]",
    "ServicePort": "1:name 2:protocol 3:port:int 4:targetPort:Number 5:nodePort:int 6:appProtocol",
    "Ingress": "1:metadata:ObjectMeta 2:spec:IngressSpec 3:status:skip",
    "IngressSpec": "1:defaultBackend:IngressBackend 2:tls:IngressTLS[] 3:rules:IngressRule[] 4:ingressClassName",
    "IngressTLS": "1:hosts:text[] 2:secretName",
    "IngressRule": "1:host 2:ingressRuleValue:IngressRuleValue^",
    "IngressRuleValue": "1:http:HTTPIngressRuleValue",
    "HTTPIngressRuleValue": "1:paths:HTTPIngressPath[]",
    "HTTPIngressPath": "1:path 2:backend:IngressBackend 3:pathType",
    "IngressBackend": "4:service:IngressServiceBackend",
    "IngressServiceBackend": "1:name 2:port:ServiceBackendPort",
    "ServiceBackendPort": "1:name 2:number:int",
    "ConfigMap": "1:metadata:ObjectMeta 2:data:map 3:binaryData:bytes-map 4:immutable:bool*",
    "Secret": "1:metadata:ObjectMeta 2:data:bytes-map 3:type 4:stringData:map 5:immutable:bool*",
    "ServiceAccount": "1:metadata:ObjectMeta 2:secrets:ObjectReference[] 3:imagePullSecrets:LocalReference[] "
    "4:automountServiceAccountToken:bool*",
    "ObjectReference": "1:kind 2:namespace 3:name 4:uid 5:apiVersion 6:resourceVersion 7:fieldPath",
    "LocalReference": "1:name",
    "ResourceQuota": "1:metadata:ObjectMeta 2:spec:ResourceQuotaSpec 3:status:skip",
    "ResourceQuotaSpec": "1:hard:amounts 2:scopes:text[]",
    "PodDisruptionBudget": "1:metadata:ObjectMeta 2:spec:PodDisruptionBudgetSpec 3:status:skip",
    "PodDisruptionBudgetSpec": "1:minAvailable:Number* 2:selector:LabelSelector 3:maxUnavailable:Number* "
    "4:unhealthyPodEvictionPolicy",
    "Eviction": "1:metadata:ObjectMeta 2:deleteOptions:DeleteOptions",
    "DeleteOptions": "1:gracePeriodSeconds:int* 2:preconditions:Preconditions 3:orphanDependents:bool* "
    "4:propagationPolicy 5:dryRun:text[]",
    "Preconditions": "1:uid 2:resourceVersion",
    "OldAutoscaler": "1:metadata:ObjectMeta 2:spec:OldAutoscalerSpec 3:status:skip",
    "OldAutoscalerSpec": "1:scaleTargetRef:TargetReference 2:minReplicas:int* 3:maxReplicas:int "
    "4:targetCPUUtilizationPercentage:int*",
    "Autoscaler": "1:metadata:ObjectMeta 2:spec:AutoscalerSpec 3:status:skip",
    "AutoscalerSpec": "1:scaleTargetRef:TargetReference 2:minReplicas:int* 3:maxReplicas:int 4:metrics:Metric[]",
    "TargetReference": "1:kind 2:name 3:apiVersion",
    "Metric": "1:type 3:pods:PodsMetric 4:resource:ResourceMetric",
    "PodsMetric": "1:metric:MetricName 2:target:MetricTarget",
    "MetricName": "1:name",
    "ResourceMetric": "1:name 2:target:MetricTarget",
    "MetricTarget": "1:type 2:value:Amount 3:averageValue:Amount 4:averageUtilization:int*",
    "SelfSubjectAccessReview": "1:metadata:ObjectMeta 2:spec:ReviewSpec 3:status:skip",
    "ReviewSpec": "1:resourceAttributes:ResourceAttributes 2:nonResourceAttributes:PathAttributes",
    "ResourceAttributes": "1:namespace 2:verb 3:group 4:version 5:resource 6:subresource 7:name 8:fieldSelector:skip "
    "9:labelSelector:skip",
    "PathAttributes": "1:path 2:verb",
}
# (apiVersion, kind) -> the message of a whole object
WHOLE = {
    ("v1", "Namespace"): "Namespace",
    ("apps/v1", "Deployment"): "Deployment",
    ("apps/v1", "StatefulSet"): "StatefulSet",
    ("apps/v1", "DaemonSet"): "DaemonSet",
    ("batch/v1", "Job"): "Job",
    ("v1", "PersistentVolume"): "PersistentVolume",
    ("v1", "PersistentVolumeClaim"): "PersistentVolumeClaim",
    ("storage.k8s.io/v1", "StorageClass"): "StorageClass",
    ("networking.k8s.io/v1", "IngressClass"): "IngressClass",
    ("v1", "Service"): "Service",
    ("networking.k8s.io/v1", "Ingress"): "Ingress",
    ("v1", "ConfigMap"): "ConfigMap",
    ("v1", "Secret"): "Secret",
    ("v1", "ServiceAccount"): "ServiceAccount",
    ("v1", "ResourceQuota"): "ResourceQuota",
    ("policy/v1", "PodDisruptionBudget"): "PodDisruptionBudget",
    ("policy/v1beta1", "PodDisruptionBudget"): "PodDisruptionBudget",
    ("policy/v1", "Eviction"): "Eviction",
    ("policy/v1beta1", "Eviction"): "Eviction",
    ("autoscaling/v1", "HorizontalPodAutoscaler"): "OldAutoscaler",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "Autoscaler",
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): "SelfSubjectAccessReview",
}


def _field(word: str) -> tuple[int, WireField]:
    number, _, rest = word.partition(":")
    name, _, kind = rest.partition(":")
    bare = kind.rstrip("[]*^") or "text"
    return int(number), WireField(name, bare, kind.endswith("[]"), kind.endswith("*"), kind.endswith("^"))


MESSAGES: dict[str, dict[int, WireField]] = {
    name: dict(_field(word) for word in text.split()) for name, text in _TEXT.items()
}
