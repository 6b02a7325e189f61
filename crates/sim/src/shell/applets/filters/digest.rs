//! `md5sum`, `sha1sum`, `sha256sum`, `sha512sum`, `cksum`, `crc32`: digests of files.

use md5::Digest as _;

use super::super::options::Options;
use crate::runtime::syscalls::Ctx;

/// The digest of bytes, in hexadecimal.
fn digest(name: &str, data: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match name {
        "md5sum" => hex(&md5::Md5::digest(data)),
        "sha1sum" => hex(&sha1::Sha1::digest(data)),
        "sha256sum" => hex(&sha2::Sha256::digest(data)),
        _ => hex(&sha2::Sha512::digest(data)),
    }
}

/// The line about one input.
pub(super) fn line(name: &str, file: &str, data: &[u8]) -> String {
    let shown = if file == "-" { String::new() } else { format!(" {file}") };
    match name {
        "cksum" => format!("{} {}{shown}\n", posix_crc(data), data.len()),
        "crc32" => format!("{:08x}{shown}\n", crc32(data)),
        _ => format!("{}  {file}\n", digest(name, data)),
    }
}

/// `-c`: looks whether files still have the digests of a list; the exit code.
pub(super) fn check(ctx: &mut Ctx<'_>, name: &str, options: &Options, list: &[u8], out: &mut Vec<u8>) -> i32 {
    let list = String::from_utf8_lossy(list).into_owned();
    let (mut all, mut failed) = (0, 0);
    for line in list.lines() {
        let Some((expected, file)) = line.split_once("  ").or_else(|| line.split_once(" *")) else {
            continue;
        };
        all += 1;
        let verdict = match ctx.slurp(file) {
            Ok(data) if digest(name, &data).eq_ignore_ascii_case(expected) => "OK",
            Ok(_) => {
                failed += 1;
                "FAILED"
            }
            Err(error) => {
                failed += 1;
                if !options.has('s') {
                    ctx.complain(&format!("{name}: can't open '{file}': {error}"));
                }
                "FAILED"
            }
        };
        if !options.has('s') {
            out.extend(format!("{file}: {verdict}\n").bytes());
        }
    }
    if failed > 0 && !options.has('s') {
        ctx.complain(&format!(
            "{name}: WARNING: {failed} of {all} computed checksums did NOT match"
        ));
    }
    i32::from(failed > 0 || all == 0)
}

/// POSIX's `cksum`: a CRC over the bytes and then their number.
fn posix_crc(data: &[u8]) -> u32 {
    let mut crc = 0u32;
    let mut take = |byte: u8| {
        crc ^= u32::from(byte) << 24;
        for _ in 0..8 {
            crc = crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
        }
    };
    data.iter().for_each(|&byte| take(byte));
    let mut length = data.len();
    while length > 0 {
        take((length & 0xff) as u8);
        length >>= 8;
    }
    !crc
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_real_ones() {
        for (name, data, expected) in [
            ("md5sum", "hello", "5d41402abc4b2a76b9719d911017c592  -\n"),
            ("sha1sum", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709  -\n"),
            ("cksum", "123456789", "930766865 9\n"),
            ("crc32", "123456789", "cbf43926\n"),
        ] {
            assert_eq!(line(name, "-", data.as_bytes()), expected);
        }
    }
}
