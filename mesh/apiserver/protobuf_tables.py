"""Which number has each field in Kubernetes' protobuf messages?

One line a message: `NUMBER:NAME` is text, `NUMBER:NAME:TYPE` something else. Types: int, bool, map (text to text),
Time, Number (a number or text), skip, or a message; `[]` after it repeats, `*` means that zero is a value and not
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
}
WHOLE = frozenset(
    {("v1", "Namespace"), ("apps/v1", "Deployment"), ("v1", "Service"), ("networking.k8s.io/v1", "Ingress")}
)


def _field(word: str) -> tuple[int, WireField]:
    number, _, rest = word.partition(":")
    name, _, kind = rest.partition(":")
    bare = kind.rstrip("[]*^") or "text"
    return int(number), WireField(name, bare, kind.endswith("[]"), kind.endswith("*"), kind.endswith("^"))


MESSAGES: dict[str, dict[int, WireField]] = {
    name: dict(_field(word) for word in text.split()) for name, text in _TEXT.items()
}
