//! Archives as other makers write them, and archives that lie.

use super::*;
use crate::decompress::tests::{pack, READABLE};
use crate::decompress::Packer;

/// One newc entry, padded; `links` and `inode` are only of use for hard links.
fn entry(name: &[u8], mode: u32, body: &[u8], inode: u32, links: u32) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap();
    let name_size = u32::try_from(name.len() + 1).unwrap();
    let fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 8, 1, name_size, 0];
    let mut out = b"070701".to_vec();
    fields.iter().for_each(|field| out.extend(format!("{field:08x}").into_bytes()));
    out.extend(name);
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn file(name: &str, body: &[u8]) -> Vec<u8> {
    entry(name.as_bytes(), 0o100_644, body, 1, 1)
}

fn trailer() -> Vec<u8> {
    entry(b"TRAILER!!!", 0, b"", 0, 1)
}

fn archive(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), trailer()].concat()
}

fn paths(read: &Initramfs) -> Vec<&str> {
    read.entries.iter().map(|entry| entry.path.as_str()).collect()
}

fn read(bytes: &[u8]) -> Initramfs {
    read_initramfs(bytes, ForeignLimits::default())
}

#[test]
fn microcode_padding_and_every_packer_one_after_the_other() {
    let mut bytes = archive(&[file("kernel/x86/microcode/GenuineIntel.bin", b"x")]);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    let mut want = vec!["/kernel/x86/microcode/GenuineIntel.bin".to_string()];
    // lz4's legacy form has no end mark, so that it can only come last
    for packer in READABLE.into_iter().filter(|packer| *packer != Packer::Lz4Legacy).chain([Packer::Lz4Legacy]) {
        let name = format!("etc/{packer:?}");
        bytes.extend(pack(&archive(&[file(&name, b"y")]), packer));
        if packer != Packer::Lz4Legacy {
            bytes.extend([0; 5]);
        }
        want.push(format!("/{name}"));
    }
    let read = read(&bytes);
    assert_eq!(read.unjudged, []);
    assert_eq!(read.segments, 1 + READABLE.len());
    want.sort();
    assert_eq!(paths(&read), want);
    assert_eq!(read.file("/etc/Zstd"), Some(b"y".as_slice()));
}

#[test]
fn odd_names_hard_links_devices_and_files_given_twice() {
    let bytes = archive(&[
        entry(b"./a//\xffb", 0o100_644, b"1", 1, 1),
        entry(b"/abs\n", 0o100_644, b"2", 1, 1),
        entry(b"h1", 0o100_644, b"", 7, 2),
        entry(b"h2", 0o100_644, b"shared", 7, 2),
        entry(b"dev/sda", 0o060_600, b"", 1, 1),
        entry(b"l", 0o120_777, b"../../etc", 1, 1),
        file("twice", b"bad"),
        file("twice", b"good"),
        entry(b".", 0o040_755, b"", 1, 1),
    ]);
    let read = read(&bytes);
    assert_eq!(read.unjudged, []);
    assert_eq!(paths(&read), ["/a/\\xffb", "/abs\\n", "/dev/sda", "/h1", "/h2", "/l", "/twice", "/twice"]);
    assert_eq!((read.file("/h1"), read.file("/h2")), (Some(b"shared".as_slice()), Some(b"shared".as_slice())));
    let mut bodies = Vec::new();
    (0..read.len())
        .for_each(|n| read.visit(n, &mut |item| bodies.push((item.path.to_string(), item.bytes().to_vec()))));
    let both: Vec<_> = bodies.iter().filter(|(path, _)| path == "/twice").map(|(_, body)| body.as_slice()).collect();
    assert_eq!(both, [b"bad".as_slice(), b"good"]);
}

/// Whatever is wrong: what was read before stays, and what was not is said.
#[test]
fn defects_are_named_and_what_came_before_is_kept() {
    let good = file("etc/first", b"x");
    let liar = |at: usize, digits: &[u8]| {
        let mut entry = file("etc/second", b"12345678");
        entry[at..at + 8].copy_from_slice(digits);
        [good.clone(), entry].concat()
    };
    let size = 6 + 6 * 8;
    let name_size = 6 + 11 * 8;
    for (name, bytes) in [
        ("a size that is too large", liar(size, b"7fffffff")),
        ("the largest size", liar(size, b"ffffffff")),
        ("a size that is no number", liar(size, b"zzzzzzzz")),
        ("a name without an end", liar(name_size, b"ffffffff")),
        ("a name of no length", liar(name_size, b"00000000")),
        ("cut in a file", [good.clone(), file("etc/second", b"12345678")[..122].to_vec()].concat()),
        ("cut in a header", [good.clone(), file("etc/second", b"")[..50].to_vec()].concat()),
        ("an old archive", [good.clone(), b"070707000001000001".to_vec()].concat()),
        ("something else behind it", [good.clone(), b"GARBAGE!".to_vec()].concat()),
        ("lzop behind it", [good.clone(), pack(b"", Packer::Lzop)].concat()),
        ("damage behind it", [good.clone(), vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]].concat()),
    ] {
        let read = read(&bytes);
        assert_eq!(paths(&read), ["/etc/first"], "{name}");
        assert_eq!(read.unjudged.len(), 1, "{name}");
        assert_eq!(read.unjudged[0].rule, "judge.archive", "{name}");
    }
    assert_eq!(read(b"").unjudged[0].what, "holds no archive");
    assert_eq!(read(&[0; 4096]).unjudged[0].what, "holds no archive");
}

#[test]
fn bombs_in_every_packer_and_too_many_entries() {
    let limits = ForeignLimits { unpacked: 64 << 20, entries: 10, free: 1 << 20, ratio: 10 };
    let zeros = vec![0; 16 << 20];
    for packer in READABLE {
        let read = read_initramfs(&pack(&zeros, packer), limits);
        assert!(read.unjudged[0].what.contains("limit"), "{packer:?}: {:?}", read.unjudged);
    }
    let many: Vec<Vec<u8>> = (0..11).map(|n| file(&format!("f{n}"), b"")).collect();
    let read = read_initramfs(&archive(&many), limits);
    assert!(read.len() == 10 && read.unjudged[0].what.contains("more than 10 entries"), "{:?}", read.unjudged);
}
