"""Which fields has each kind in Kubernetes, and which of them does nothing execute here?

One line of words a type. `name` is a field whose inside is free (a scalar, a map of the user's words, or something
that is not looked into), `name:Type` an object of that type or a list of them. A `!` at the end marks a field that is
stored but not acted on: whoever sends it is told so.
"""

Fields = dict[str, tuple[str, bool]]
"""field -> (type name or empty, executed)"""

_TEXT = {
    "ObjectMeta": "name generateName namespace selfLink uid resourceVersion generation creationTimestamp "
    "deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences:OwnerReference finalizers "
    "managedFields",
    "OwnerReference": "apiVersion kind name uid controller blockOwnerDeletion",
    "LabelSelector": "matchLabels matchExpressions:LabelSelectorRequirement",
    "LabelSelectorRequirement": "key operator values",
    "PodTemplateSpec": "metadata:ObjectMeta spec:PodSpec",
    "PodSpec": "containers:Container initContainers:Container ephemeralContainers! volumes:Volume nodeName "
    "nodeSelector restartPolicy terminationGracePeriodSeconds serviceAccountName serviceAccount "
    "automountServiceAccountToken hostname subdomain tolerations:Toleration affinity:Affinity dnsPolicy dnsConfig! "
    "schedulerName activeDeadlineSeconds hostNetwork! hostPID! hostIPC! hostUsers! shareProcessNamespace! "
    "securityContext! imagePullSecrets hostAliases:HostAlias! priorityClassName! priority preemptionPolicy "
    "readinessGates! runtimeClassName! enableServiceLinks overhead! topologySpreadConstraints:TopologySpreadConstraint "
    "setHostnameAsFQDN! os schedulingGates! resourceClaims! resources!",
    "Container": "name image command args workingDir ports:ContainerPort env:EnvVar envFrom:EnvFromSource resources! "
    "resizePolicy! restartPolicy volumeMounts:VolumeMount volumeDevices! livenessProbe:Probe "
    "readinessProbe:Probe startupProbe:Probe lifecycle terminationMessagePath terminationMessagePolicy "
    "imagePullPolicy securityContext! stdin! stdinOnce! tty!",
    "ContainerPort": "name containerPort protocol hostPort! hostIP!",
    "EnvVar": "name value valueFrom:EnvVarSource",
    "EnvVarSource": "fieldRef:ObjectFieldSelector resourceFieldRef! configMapKeyRef:KeySelector "
    "secretKeyRef:KeySelector fileKeyRef!",
    "EnvFromSource": "prefix configMapRef:NameSelector secretRef:NameSelector",
    "KeySelector": "name key optional",
    "NameSelector": "name optional",
    "ObjectFieldSelector": "apiVersion fieldPath",
    "VolumeMount": "name mountPath subPath readOnly mountPropagation! subPathExpr recursiveReadOnly!",
    "Probe": "httpGet:HTTPGetAction tcpSocket:TCPSocketAction exec grpc! initialDelaySeconds periodSeconds "
    "timeoutSeconds successThreshold failureThreshold terminationGracePeriodSeconds",
    "HTTPGetAction": "path port host! scheme httpHeaders:HTTPHeader",
    "HTTPHeader": "name value",
    "TCPSocketAction": "port host!",
    "Toleration": "key operator value effect tolerationSeconds",
    "HostAlias": "ip hostnames",
    "Affinity": "nodeAffinity:NodeAffinity podAffinity:PodAffinity podAntiAffinity:PodAffinity",
    "NodeAffinity": "requiredDuringSchedulingIgnoredDuringExecution:NodeSelector "
    "preferredDuringSchedulingIgnoredDuringExecution!",
    "NodeSelector": "nodeSelectorTerms:NodeSelectorTerm",
    "NodeSelectorTerm": "matchExpressions:LabelSelectorRequirement matchFields:LabelSelectorRequirement",
    "PodAffinity": "requiredDuringSchedulingIgnoredDuringExecution:PodAffinityTerm "
    "preferredDuringSchedulingIgnoredDuringExecution!",
    "PodAffinityTerm": "labelSelector:LabelSelector namespaces topologyKey namespaceSelector:LabelSelector "
    "matchLabelKeys! mismatchLabelKeys!",
    "TopologySpreadConstraint": "maxSkew topologyKey whenUnsatisfiable labelSelector:LabelSelector minDomains! "
    "nodeAffinityPolicy! nodeTaintsPolicy! matchLabelKeys!",
    "Volume": "name emptyDir hostPath persistentVolumeClaim configMap secret projected downwardAPI nfs! csi! "
    "ephemeral image! awsElasticBlockStore! azureDisk! azureFile! cephfs! cinder! fc! flexVolume! flocker! "
    "gcePersistentDisk! gitRepo! glusterfs! iscsi! photonPersistentDisk! portworxVolume! quobyte! rbd! scaleIO! "
    "storageos! vsphereVolume!",
    "DeploymentSpec": "replicas selector:LabelSelector template:PodTemplateSpec strategy:DeploymentStrategy "
    "minReadySeconds revisionHistoryLimit progressDeadlineSeconds paused",
    "OldDeploymentSpec": "replicas selector:LabelSelector template:PodTemplateSpec strategy:DeploymentStrategy "
    "minReadySeconds revisionHistoryLimit progressDeadlineSeconds paused rollbackTo!",
    "DeploymentStrategy": "type rollingUpdate:RollingUpdateDeployment",
    "RollingUpdateDeployment": "maxSurge maxUnavailable",
    "ReplicaSetSpec": "replicas minReadySeconds selector:LabelSelector template:PodTemplateSpec",
    "StatefulSetSpec": "replicas selector:LabelSelector template:PodTemplateSpec serviceName podManagementPolicy "
    "updateStrategy:StatefulSetUpdateStrategy volumeClaimTemplates:PersistentVolumeClaim revisionHistoryLimit "
    "minReadySeconds persistentVolumeClaimRetentionPolicy ordinals",
    "StatefulSetUpdateStrategy": "type rollingUpdate:RollingUpdateStatefulSet",
    "RollingUpdateStatefulSet": "partition maxUnavailable",
    "OldDaemonSetSpec": "selector:LabelSelector template:PodTemplateSpec updateStrategy:DaemonSetUpdateStrategy "
    "minReadySeconds revisionHistoryLimit templateGeneration!",
    "DaemonSetSpec": "selector:LabelSelector template:PodTemplateSpec updateStrategy:DaemonSetUpdateStrategy "
    "minReadySeconds revisionHistoryLimit",
    "DaemonSetUpdateStrategy": "type rollingUpdate:RollingUpdateDaemonSet",
    "RollingUpdateDaemonSet": "maxUnavailable maxSurge",
    "JobSpec": "parallelism completions backoffLimit activeDeadlineSeconds ttlSecondsAfterFinished completionMode "
    "suspend selector:LabelSelector manualSelector template:PodTemplateSpec podReplacementPolicy backoffLimitPerIndex "
    "maxFailedIndexes podFailurePolicy successPolicy managedBy",
    "PersistentVolumeSpec": "capacity accessModes persistentVolumeReclaimPolicy storageClassName "
    "claimRef:ObjectReference volumeMode mountOptions! nodeAffinity:VolumeNodeAffinity hostPath:HostPathVolume "
    "local:LocalVolume csi:CSIVolume nfs! volumeAttributesClassName! awsElasticBlockStore! azureDisk! azureFile! "
    "cephfs! cinder! fc! flexVolume! flocker! gcePersistentDisk! glusterfs! iscsi! photonPersistentDisk! "
    "portworxVolume! quobyte! rbd! scaleIO! storageos! vsphereVolume!",
    "ObjectReference": "kind namespace name uid apiVersion resourceVersion fieldPath",
    "VolumeNodeAffinity": "required:NodeSelector",
    "HostPathVolume": "path type",
    "LocalVolume": "path fsType!",
    "CSIVolume": "driver volumeHandle readOnly fsType! volumeAttributes controllerPublishSecretRef! "
    "nodeStageSecretRef! nodePublishSecretRef! controllerExpandSecretRef! nodeExpandSecretRef!",
    "PersistentVolumeClaimSpec": "accessModes resources:ClaimResources storageClassName volumeName volumeMode "
    "selector:LabelSelector dataSource! dataSourceRef! volumeAttributesClassName!",
    "ClaimResources": "requests limits",
    "IngressClassSpec": "controller parameters!",
    "ServiceSpec": "type selector ports:ServicePort clusterIP clusterIPs externalName externalIPs "
    "externalTrafficPolicy internalTrafficPolicy sessionAffinity sessionAffinityConfig publishNotReadyAddresses "
    "ipFamilies ipFamilyPolicy loadBalancerClass loadBalancerIP! loadBalancerSourceRanges "
    "allocateLoadBalancerNodePorts healthCheckNodePort trafficDistribution",
    "ServicePort": "name port targetPort protocol nodePort appProtocol",
    "IngressSpec": "ingressClassName defaultBackend:IngressBackend rules:IngressRule tls!",
    "IngressRule": "host http:HTTPIngressRuleValue",
    "HTTPIngressRuleValue": "paths:HTTPIngressPath",
    "HTTPIngressPath": "path pathType backend:IngressBackend",
    "IngressBackend": "service:IngressServiceBackend resource!",
    "IngressServiceBackend": "name port:ServiceBackendPort",
    "ServiceBackendPort": "name number",
    "OldIngressSpec": "ingressClassName backend:OldIngressBackend rules:OldIngressRule tls!",
    "OldIngressRule": "host http:OldHTTPIngressRuleValue",
    "OldHTTPIngressRuleValue": "paths:OldHTTPIngressPath",
    "OldHTTPIngressPath": "path pathType backend:OldIngressBackend",
    "OldIngressBackend": "serviceName servicePort resource!",
    "NamespaceSpec": "finalizers",
    "NodeSpec": "podCIDR podCIDRs providerID! unschedulable taints:Taint configSource! externalID",
    "Taint": "key value effect timeAdded",
    "Endpoint": "addresses conditions hostname targetRef deprecatedTopology nodeName zone hints",
    "EndpointSubset": "addresses notReadyAddresses ports",
    "PodDisruptionBudgetSpec": "minAvailable maxUnavailable selector:LabelSelector unhealthyPodEvictionPolicy",
    "HorizontalPodAutoscalerSpec": "scaleTargetRef:CrossVersionObjectReference minReplicas maxReplicas "
    "metrics:MetricSpec behavior:HorizontalPodAutoscalerBehavior",
    "OldHorizontalPodAutoscalerSpec": "scaleTargetRef:CrossVersionObjectReference minReplicas maxReplicas "
    "targetCPUUtilizationPercentage",
    "CrossVersionObjectReference": "apiVersion kind name",
    "MetricSpec": "type resource:ResourceMetricSource pods:PodsMetricSource containerResource! object! external!",
    "ResourceMetricSource": "name target:MetricTarget",
    "PodsMetricSource": "metric:MetricIdentifier target:MetricTarget",
    "MetricIdentifier": "name selector!",
    "MetricTarget": "type value averageValue averageUtilization",
    "HorizontalPodAutoscalerBehavior": "scaleUp:HPAScalingRules scaleDown:HPAScalingRules",
    "HPAScalingRules": "stabilizationWindowSeconds selectPolicy policies:HPAScalingPolicy tolerance!",
    "HPAScalingPolicy": "type value periodSeconds",
    "ResourceQuotaSpec": "hard scopes scopeSelector",
    "LeaseSpec": "holderIdentity leaseDurationSeconds acquireTime renewTime leaseTransitions strategy preferredHolder",
    "CustomResourceDefinitionSpec": "group names:CustomResourceDefinitionNames scope "
    "versions:CustomResourceDefinitionVersion conversion preserveUnknownFields!",
    "CustomResourceDefinitionNames": "plural kind singular listKind shortNames categories",
    "CustomResourceDefinitionVersion": "name served storage schema subresources additionalPrinterColumns deprecated "
    "deprecationWarning selectableFields!",
}
_WHOLE = {
    "Pod": "PodSpec",
    "Deployment": "DeploymentSpec",
    "ReplicaSet": "ReplicaSetSpec",
    "StatefulSet": "StatefulSetSpec",
    "Service": "ServiceSpec",
    "Ingress": "IngressSpec",
    "Namespace": "NamespaceSpec",
    "Node": "NodeSpec",
    "PodDisruptionBudget": "PodDisruptionBudgetSpec",
    "HorizontalPodAutoscaler": "HorizontalPodAutoscalerSpec",
    "ResourceQuota": "ResourceQuotaSpec",
    "Lease": "LeaseSpec",
    "CustomResourceDefinition": "CustomResourceDefinitionSpec",
    "DaemonSet": "DaemonSetSpec",
    "Job": "JobSpec",
    "PersistentVolume": "PersistentVolumeSpec",
    "PersistentVolumeClaim": "PersistentVolumeClaimSpec",
    "IngressClass": "IngressClassSpec",
    "OldDaemonSet": "OldDaemonSetSpec",
    "OldHorizontalPodAutoscaler": "OldHorizontalPodAutoscalerSpec",
    "OldDeployment": "OldDeploymentSpec",
    "OldIngress": "OldIngressSpec",
}
_NO_SPEC = {
    "Endpoints": "subsets:EndpointSubset",
    "ControllerRevision": "data revision",
    "StorageClass": "provisioner parameters reclaimPolicy volumeBindingMode allowVolumeExpansion mountOptions! "
    "allowedTopologies!",
    "ConfigMap": "data binaryData immutable",
    "Secret": "data stringData type immutable",
    "ServiceAccount": "secrets! imagePullSecrets! automountServiceAccountToken!",
    "EndpointSlice": "addressType endpoints:Endpoint ports",
    "Event": "involvedObject reason message source firstTimestamp lastTimestamp count type eventTime series action "
    "related reportingComponent reportingInstance",
}


def _fields(text: str) -> Fields:
    found: Fields = {}
    for word in text.split():
        name, _, kind = word.rstrip("!").partition(":")
        found[name] = (kind, not word.endswith("!"))
    return found


TYPES: dict[str, Fields] = {
    **{name: _fields(text) for name, text in _TEXT.items()},
    **{
        name: _fields(f"apiVersion kind metadata:ObjectMeta spec:{spec} status") for name, spec in _WHOLE.items()
    },
    **{name: _fields(f"apiVersion kind metadata:ObjectMeta {text}") for name, text in _NO_SPEC.items()},
}  # fmt: skip
_OLD_DEPLOYMENTS = frozenset({"extensions/v1beta1", "apps/v1beta1"})
_OLD_INGRESSES = frozenset({"extensions/v1beta1", "networking.k8s.io/v1beta1"})


def type_of(kind: str, api_version: str) -> str | None:
    """The name of the type that a whole object of that spelling has; None where nothing is known about it."""
    if kind == "Deployment" and api_version in _OLD_DEPLOYMENTS:
        return "OldDeployment"
    if kind == "DaemonSet" and api_version == "extensions/v1beta1":
        return "OldDaemonSet"
    if kind == "Ingress" and api_version in _OLD_INGRESSES:
        return "OldIngress"
    if kind == "HorizontalPodAutoscaler" and api_version == "autoscaling/v1":
        return "OldHorizontalPodAutoscaler"
    return kind if kind in TYPES else None
