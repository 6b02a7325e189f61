//! `nslookup`, `host` and `getent`: what the name server says, in each program's own words. `nslookup` is busybox's since 1.29:
//! it asks every search domain for a name without a dot, and none for a name with one.

use std::fmt::Write;
use std::sync::Arc;

use crate::runtime::host::Lookup;
use crate::runtime::syscalls::Ctx;

/// The record types that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    A,
    Aaaa,
    Ptr,
    /// Any other: names of the cluster have none.
    Other,
}

/// Runs one of the programs; gives its exit code.
pub(super) fn run(name: &str, arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    match name {
        "getent" => getent(arguments, ctx),
        "host" => host(arguments, ctx),
        _ => nslookup(arguments, ctx),
    }
}

fn nslookup(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let mut types = Vec::new();
    let mut operands: Vec<&str> = Vec::new();
    for argument in arguments {
        let option = argument.strip_prefix('-').map(|option| option.trim_start_matches('-'));
        match option.and_then(|option| option.split_once('=')) {
            Some(("type" | "querytype" | "query" | "q" | "t", value)) => {
                types.push(match value.to_lowercase().as_str() {
                    "a" => Type::A,
                    "aaaa" => Type::Aaaa,
                    "ptr" => Type::Ptr,
                    _ => Type::Other,
                })
            }
            _ if option.is_some() => {}
            _ => operands.push(argument),
        }
    }
    let Some(name) = operands.first().copied() else {
        ctx.complain(
            "BusyBox v1.36.1 multi-call binary.\n\nUsage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]\n\nQuery \
             DNS about HOST\n\nQUERY_TYPE: soa,ns,a,aaaa,cname,mx,txt,srv,ptr,any",
        );
        return 1;
    };
    let (own, search) = ctx.host.resolver();
    let asked = operands.get(1).copied();
    let server = match asked {
        Some(server) if server.parse::<std::net::IpAddr>().is_ok() => Some(server.to_owned()),
        Some(server) => match ctx.host.resolve(server) {
            Ok(addresses) => addresses.into_iter().next(),
            Err(_) => {
                ctx.complain(&format!("nslookup: bad address '{server}'"));
                return 1;
            }
        },
        None => own.clone(),
    };
    let Some(server) = server else {
        ctx.print(";; connection timed out; no servers could be reached\n\n");
        return 1;
    };
    let mut text = format!("Server:\t\t{}\nAddress:\t{server}:53\n\n", asked.unwrap_or(&server));
    if Some(&server) != own.as_ref() {
        // Nobody else in the cluster answers questions about names.
        ctx.print(";; connection timed out; no servers could be reached\n\n");
        return 1;
    }
    let address = name.parse::<std::net::Ipv4Addr>().ok();
    if types.is_empty() {
        types = if address.is_some() {
            vec![Type::Ptr]
        } else {
            vec![Type::A, Type::Aaaa]
        };
    }
    // With a server of its own on the command line it does not read /etc/resolv.conf.
    let names: Vec<String> = if name.contains('.') || search.is_empty() || asked.is_some() {
        vec![name.to_owned()]
    } else {
        search.iter().map(|domain| format!("{name}.{domain}")).collect()
    };
    let mut code = 0;
    for kind in types {
        for name in &names {
            let (shown, answer, pointers) = match (kind, address) {
                (Type::Ptr, Some(address)) => {
                    let [a, b, c, d] = address.octets();
                    let pointers = ctx.host.reverse(name);
                    let answer = Lookup {
                        exists: !pointers.is_empty(),
                        ..Default::default()
                    };
                    (format!("{d}.{c}.{b}.{a}.in-addr.arpa"), answer, pointers)
                }
                _ => (name.clone(), ctx.host.lookup(name), Vec::new()),
            };
            if !answer.exists {
                let _ = writeln!(text, "** server can't find {shown}: NXDOMAIN");
                code = 1;
            }
            for (alias, target) in &answer.aliases {
                let _ = writeln!(text, "{alias}\tcanonical name = {target}");
            }
            for pointer in pointers {
                let _ = writeln!(text, "{shown}\tname = {pointer}");
            }
            let owner = answer.aliases.last().map_or(name, |(_, target)| target);
            for address in answer.addresses.iter().filter(|_| kind == Type::A) {
                let _ = writeln!(text, "Name:\t{owner}\nAddress: {address}");
            }
            text.push('\n');
        }
    }
    ctx.print(&text);
    code
}

/// `host NAME`
fn host(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let Some(name) = arguments.iter().find(|argument| !argument.starts_with('-')) else {
        ctx.complain("host: a name is needed");
        return 1;
    };
    match ctx.host.resolve(name) {
        Ok(addresses) => {
            let lines: String = addresses
                .iter()
                .map(|address| format!("{name} has address {address}\n"))
                .collect();
            ctx.print(&lines);
            0
        }
        Err(_) => {
            ctx.print(&format!("Host {name} not found: 3(NXDOMAIN)\n"));
            1
        }
    }
}

/// `getent hosts NAME`
fn getent(arguments: &[Arc<str>], ctx: &mut Ctx<'_>) -> i32 {
    let mut operands = arguments.iter().filter(|argument| !argument.starts_with('-'));
    let (Some(database), Some(name)) = (operands.next(), operands.next()) else {
        ctx.complain("usage: getent DATABASE KEY");
        return 1;
    };
    if !matches!(&**database, "hosts" | "ahosts" | "ahostsv4") {
        ctx.host.notice(&format!("not simulated: getent {database}"));
        return 1;
    }
    let Ok(addresses) = ctx.host.resolve(name) else {
        return 2;
    };
    let lines: String = addresses
        .iter()
        .map(|address| format!("{address:<15} {name}\n"))
        .collect();
    ctx.print(&lines);
    0
}
