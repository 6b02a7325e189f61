//! The columns of each kind (`pkg/printers/internalversion/printers.go AddHandlers`).

/// One column: its name, and 0 if it is always shown or 1 if only with `-o wide`.
pub type Column = (&'static str, u8);

const WORKLOAD_TAIL: [Column; 4] = [("Age", 0), ("Containers", 1), ("Images", 1), ("Selector", 1)];

/// The columns of a kind; name and age if the kind is not known.
#[must_use]
pub fn columns(kind: &str) -> Vec<Column> {
    let plain = |names: &[&'static str], wide: &[&'static str]| -> Vec<Column> {
        names
            .iter()
            .map(|name| (*name, 0))
            .chain(wide.iter().map(|name| (*name, 1)))
            .collect()
    };
    let workload =
        |names: &[&'static str]| -> Vec<Column> { names.iter().map(|name| (*name, 0)).chain(WORKLOAD_TAIL).collect() };
    match kind {
        "Pod" => plain(
            &["Name", "Ready", "Status", "Restarts", "Age"],
            &["IP", "Node", "Nominated Node", "Readiness Gates"],
        ),
        "Node" => plain(
            &["Name", "Status", "Roles", "Age", "Version"],
            &[
                "Internal-IP",
                "External-IP",
                "OS-Image",
                "Kernel-Version",
                "Container-Runtime",
            ],
        ),
        "Deployment" => workload(&["Name", "Ready", "Up-to-date", "Available"]),
        "ReplicaSet" | "ReplicationController" => workload(&["Name", "Desired", "Current", "Ready"]),
        "StatefulSet" => plain(&["Name", "Ready", "Age"], &["Containers", "Images"]),
        "DaemonSet" => workload(&[
            "Name",
            "Desired",
            "Current",
            "Ready",
            "Up-to-date",
            "Available",
            "Node Selector",
        ]),
        "Job" => workload(&["Name", "Status", "Completions", "Duration"]),
        "CronJob" => workload(&["Name", "Schedule", "Timezone", "Suspend", "Active", "Last Schedule"]),
        "Service" => plain(
            &["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"],
            &["Selector"],
        ),
        "Endpoints" => plain(&["Name", "Endpoints", "Age"], &[]),
        "EndpointSlice" => plain(&["Name", "AddressType", "Ports", "Endpoints", "Age"], &[]),
        "Event" => vec![
            ("Last Seen", 0),
            ("Type", 0),
            ("Reason", 0),
            ("Object", 0),
            ("Subobject", 1),
            ("Source", 1),
            ("Message", 0),
            ("First Seen", 1),
            ("Count", 1),
            ("Name", 1),
        ],
        "Namespace" => plain(&["Name", "Status", "Age"], &[]),
        "ConfigMap" => plain(&["Name", "Data", "Age"], &[]),
        "Secret" => plain(&["Name", "Type", "Data", "Age"], &[]),
        "PersistentVolumeClaim" => plain(
            &[
                "Name",
                "Status",
                "Volume",
                "Capacity",
                "Access Modes",
                "StorageClass",
                "VolumeAttributesClass",
                "Age",
            ],
            &["VolumeMode"],
        ),
        "PersistentVolume" => plain(
            &[
                "Name",
                "Capacity",
                "Access Modes",
                "Reclaim Policy",
                "Status",
                "Claim",
                "StorageClass",
                "VolumeAttributesClass",
                "Reason",
                "Age",
            ],
            &["VolumeMode"],
        ),
        "StorageClass" => plain(
            &[
                "Name",
                "Provisioner",
                "ReclaimPolicy",
                "VolumeBindingMode",
                "AllowVolumeExpansion",
                "Age",
            ],
            &[],
        ),
        "PodDisruptionBudget" => plain(
            &["Name", "Min Available", "Max Unavailable", "Allowed Disruptions", "Age"],
            &[],
        ),
        "PriorityClass" => plain(&["Name", "Value", "Global-Default", "Age", "PreemptionPolicy"], &[]),
        "Lease" => plain(&["Name", "Holder", "Age"], &[]),
        "ControllerRevision" => plain(&["Name", "Controller", "Revision", "Age"], &[]),
        "HorizontalPodAutoscaler" => plain(
            &["Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"],
            &[],
        ),
        "ResourceQuota" => plain(&["Name", "Request", "Limit", "Age"], &[]),
        "Ingress" => plain(&["Name", "Class", "Hosts", "Address", "Ports", "Age"], &[]),
        "NetworkPolicy" => plain(&["Name", "Pod-Selector", "Age"], &[]),
        // A kind without a printer of its own shows when it was created.
        "LimitRange" => plain(&["Name", "Created At"], &[]),
        _ => plain(&["Name", "Age"], &[]),
    }
}
