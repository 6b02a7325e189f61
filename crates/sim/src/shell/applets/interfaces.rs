//! `ifconfig`, `ip` and `netstat`: the pod's network as busybox shows it.

use std::sync::Arc;

use crate::runtime::syscalls::{Ctx, Step};

/// Starts one of these applets; `None` for what of them is not simulated.
pub(super) fn start(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> Option<Step> {
    let words: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let text = match name {
        "ifconfig" => ifconfig(&words, ctx)?,
        "ip" => ip(&words, ctx)?,
        _ => netstat(&words, ctx)?,
    };
    ctx.print(&text);
    Some(Step::Exit(0))
}

/// The address of `eth0`, that of its network without the last number, and its hardware address, which the bridge plugin
/// makes of it.
fn eth0(ctx: &mut Ctx<'_>) -> (String, String, [u8; 6]) {
    let address = ctx.host.address();
    let network = address.rsplit_once('.').map_or("", |(network, _)| network).to_owned();
    let mut hardware = [0x0a, 0x58, 0, 0, 0, 0];
    for (at, part) in address.split('.').take(4).enumerate() {
        hardware[2 + at] = part.parse().unwrap_or(0);
    }
    (address, network, hardware)
}

/// Whether there is no network but the loopback, as for a script that runs in no pod.
fn is_alone(address: &str) -> bool {
    address.starts_with("127.")
}

fn hex(hardware: [u8; 6]) -> String {
    hardware.map(|byte| format!("{byte:02x}")).join(":")
}

fn ifconfig(words: &[&str], ctx: &mut Ctx<'_>) -> Option<String> {
    let (address, network, hardware) = eth0(ctx);
    let counters = "          RX packets:0 errors:0 dropped:0 overruns:0 frame:0\n          TX packets:0 errors:0 dropped:0 overruns:0 carrier:0\n          collisions:0 txqueuelen:1000 \n          RX bytes:0 (0.0 B)  TX bytes:0 (0.0 B)\n\n";
    let outer = format!(
        "eth0      Link encap:Ethernet  HWaddr {}  \n          inet addr:{address}  Bcast:{network}.255  Mask:255.255.255.0\n          UP BROADCAST RUNNING MULTICAST  MTU:1500  Metric:1\n{counters}",
        hex(hardware).to_uppercase()
    );
    let loopback = format!(
        "lo        Link encap:Local Loopback  \n          inet addr:127.0.0.1  Mask:255.0.0.0\n          UP LOOPBACK RUNNING  MTU:65536  Metric:1\n{counters}"
    );
    match words {
        [] | ["-a"] if is_alone(&address) => Some(loopback),
        [] | ["-a"] => Some(outer + &loopback),
        ["eth0"] => Some(outer),
        ["lo"] => Some(loopback),
        _ => None,
    }
}

fn ip(words: &[&str], ctx: &mut Ctx<'_>) -> Option<String> {
    let (address, network, hardware) = eth0(ctx);
    let words: Vec<&str> = words.iter().copied().filter(|word| *word != "-4").collect();
    let (what, rest) = words.split_first()?;
    let is = |name: &str| !what.is_empty() && name.starts_with(what);
    if is("route") {
        if is_alone(&address) {
            return Some(String::new());
        }
        return matches!(rest, [] | ["show" | "list" | "ls"]).then(|| {
            format!("default via {network}.1 dev eth0 \n{network}.0/24 dev eth0 scope link  src {address} \n")
        });
    }
    let only = match rest {
        [] | ["show" | "list" | "ls"] => "",
        ["show" | "list" | "ls", "dev", name] | ["show" | "list" | "ls", name] => name,
        _ => return None,
    };
    let addresses = is("address");
    if !addresses && !is("link") || !["", "eth0", "lo"].contains(&only) {
        return None;
    }
    let lifetime = "       valid_lft forever preferred_lft forever\n";
    let mut text = String::new();
    if only != "eth0" {
        text.push_str("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n");
        if addresses {
            text.push_str(&format!("    inet 127.0.0.1/8 scope host lo\n{lifetime}"));
        }
    }
    if only != "lo" && !is_alone(&address) {
        let hardware = hex(hardware);
        text.push_str(&format!("2: eth0@if3: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 1500 qdisc noqueue \n    link/ether {hardware} brd ff:ff:ff:ff:ff:ff\n"));
        if addresses {
            text.push_str(&format!(
                "    inet {address}/24 brd {network}.255 scope global eth0\n{lifetime}"
            ));
        }
    }
    Some(text)
}

/// The ports on which somebody listens. Connections are over in an instant here, so there are none to show.
fn netstat(words: &[&str], ctx: &mut Ctx<'_>) -> Option<String> {
    let mut flags = String::new();
    for word in words {
        flags.push_str(word.strip_prefix('-')?);
    }
    if flags.chars().any(|flag| !"atuwnle".contains(flag)) {
        return None;
    }
    let has = |flag: char| flags.contains(flag);
    let kind = match (has('a'), has('l')) {
        (true, _) => "servers and established",
        (false, true) => "only servers",
        (false, false) => "w/o servers",
    };
    let mut text = format!(
        "Active Internet connections ({kind})\nProto Recv-Q Send-Q Local Address           Foreign Address         State       \n"
    );
    if (has('a') || has('l')) && (has('t') || !has('u')) {
        let mut ports = ctx.host.ports();
        ports.extend(ctx.kernel.listeners.keys());
        ports.sort_unstable();
        ports.dedup();
        for port in ports {
            let local = format!("0.0.0.0:{port}");
            text.push_str(&format!(
                "tcp        0      0 {local:<23} {:<23} LISTEN      \n",
                "0.0.0.0:*"
            ));
        }
    }
    Some(text)
}
