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
