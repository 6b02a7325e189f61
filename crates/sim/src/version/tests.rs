use super::profile::SIMULATED;
use super::{Change, GATES, Gate, Profile, Version, is_simulated};

fn profile(version: &str) -> Profile {
    Profile::of(Version::named(version).expect("a version"))
}

#[test]
fn names() {
    for (text, version) in [
        ("1.28", Some("1.28")),
        ("v1.36", Some("1.36")),
        ("1.36.2", Some("1.36")),
        ("1.27", None),
        ("1.37", None),
        ("1.3", None),
        ("2.30", None),
        ("", None),
    ] {
        assert_eq!(
            Version::named(text).map(|version| version.to_string()).as_deref(),
            version,
            "{text}"
        );
    }
    assert_eq!(Version::all().count(), 9);
    assert_eq!(Version::NEWEST.git_version(), "v1.36.2");
}

#[test]
fn the_table_is_in_order_and_has_every_simulated_gate() {
    for (name, entries) in GATES {
        assert!(entries.is_sorted_by_key(|entry| entry.minor), "{name}");
        assert!(!entries.is_empty(), "{name}");
    }
    for gate in SIMULATED {
        assert!(GATES.iter().any(|(name, _)| name == gate), "{gate}");
        assert!(is_simulated(gate));
    }
    assert!(!is_simulated("WinOverlay"));
}

#[test]
fn defaults_by_version() {
    for (gate, first_on) in [
        (Gate::SidecarContainers, 29),
        (Gate::PodReadyToStartContainersCondition, 29),
        (Gate::PodHostIPs, 29),
        (Gate::PodLifecycleSleepAction, 30),
        (Gate::RetryGenerateName, 31),
        (Gate::RelaxedEnvironmentVariableValidation, 32),
        (Gate::SchedulerQueueingHints, 32),
        (Gate::JobManagedBy, 32),
        (Gate::InPlacePodVerticalScaling, 33),
        (Gate::PodObservedGenerationTracking, 34),
        (Gate::ContainerRestartRules, 35),
        (Gate::RestartAllContainersOnContainerExits, 36),
        (Gate::ContainerStopSignals, 37),
    ] {
        for version in Version::all() {
            let on = version.minor >= first_on;
            assert_eq!(Profile::of(version).enabled(gate), on, "{gate:?} in {version}");
        }
    }
    assert!(!profile("1.31").has(Change::LongerNodeMonitorGrace));
    assert!(profile("1.32").has(Change::LongerNodeMonitorGrace));
}

#[test]
fn gates_are_switched_strictly() {
    let set = |version: &str, name: &str, on: bool| {
        Profile::with_gates(Version::named(version).expect("a version"), [(name, on)])
    };
    let on = set("1.28", "SidecarContainers", true).expect("alpha can be switched on");
    assert!(on.enabled(Gate::SidecarContainers));
    let off = set("1.32", "SidecarContainers", false).expect("beta can be switched off");
    assert!(!off.enabled(Gate::SidecarContainers));
    assert!(set("1.36", "SidecarContainers", true).is_ok(), "what it is already");
    for (version, name, value, error) in [
        (
            "1.33",
            "SidecarContainers",
            false,
            "feature gate SidecarContainers cannot be set to false in Kubernetes 1.33: it is locked to true since 1.33",
        ),
        (
            "1.28",
            "ContainerRestartRules",
            true,
            "Kubernetes 1.28 has no feature gate ContainerRestartRules: it came with 1.34",
        ),
        (
            "1.36",
            "SidecarContainer",
            true,
            "there is no feature gate SidecarContainer; did you mean SidecarContainers?",
        ),
        ("1.36", "Nonsense", true, "there is no feature gate Nonsense"),
    ] {
        assert_eq!(set(version, name, value), Err(error.to_owned()));
    }
}
