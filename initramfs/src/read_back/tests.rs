//! Initramfs archives with one defect each.

use super::*;
use crate::compress::Compression;
use crate::unpack::{pack, Coding};

/// One newc entry with every field given.
fn entry(inode: u32, mode: u32, links: u32, name: &str, body: &[u8]) -> Vec<u8> {
    let fields = [inode, mode, 0, 0, links, 0, body.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
    let mut out = b"070701".to_vec();
    out.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}
fn file(name: &str, body: &[u8]) -> Vec<u8> {
    entry(1, 0o100_644, 1, name, body)
}
fn dir(name: &str) -> Vec<u8> {
    entry(1, 0o040_755, 1, name, b"")
}
fn link(name: &str, target: &str) -> Vec<u8> {
    entry(1, 0o120_777, 1, name, target.as_bytes())
}
fn trailer() -> Vec<u8> {
    entry(0, 0, 1, "TRAILER!!!", b"")
}
fn zstd(bytes: &[u8]) -> Vec<u8> {
    Compression::Zstd(1).compress(bytes).unwrap()
}
fn xz_crc32(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let stream = liblzma::stream::Stream::new_easy_encoder(1, liblzma::stream::Check::Crc32).unwrap();
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
fn read(parts: &[Vec<u8>]) -> Result<ReadBack> {
    read_back(&parts.concat(), Limits::default())
}
fn body<'r>(read: &'r ReadBack, path: &str) -> &'r [u8] {
    read.bytes(&ImagePath::parse(path).unwrap()).unwrap()
}

#[test]
fn segments_of_every_packing() {
    let gzip = pack(&file("b", b"2"), Coding::Gzip);
    let parts = [zstd(&[dir("d"), file("d/a", b"1")].concat()), gzip, vec![0; 5], xz_crc32(&file("c", b"3"))];
    let mut parts = parts.to_vec();
    let length: usize = parts.iter().map(Vec::len).sum();
    parts.push(vec![0; length.next_multiple_of(4) - length]);
    parts.extend([file("e", b"4"), trailer()]);
    let read = read(&parts).unwrap();
    assert_eq!(
        read.segments.iter().map(|s| s.packing).collect::<Vec<_>>(),
        [Packing::Zstd, Packing::Gzip, Packing::Xz, Packing::Raw]
    );
    assert_eq!(["/d/a", "/b", "/c", "/e"].map(|p| body(&read, p)[0]), *b"1234");
    assert!(read.ends_in_trailer && read.trailers == 1);
}

#[test]
fn what_the_kernel_fails_on_or_skips_is_refused() {
    let whole = file("a", b"12345678");
    let cut = || (zstd(&whole[..whole.len() - 4]), zstd(&whole[whole.len() - 4..]));
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0].to_vec();
    let mut misaligned = file("a", b"");
    misaligned.extend([0, 0]);
    misaligned.extend(file("b", b""));
    let mut no_nul = file("ab", b"");
    no_nul[112] = b'c';
    let mut bad_sum = file("a", b"x");
    bad_sum[5] = b'2';
    let mut odd = zstd(&file("a", b""));
    odd.resize(odd.len().next_multiple_of(4) + 1, 0);
    let many = |n: usize| (0..n).flat_map(|i| file(&format!("f{i}"), b"")).collect::<Vec<u8>>();
    for (parts, why) in [
        (vec![], "is empty"),
        (vec![skippable], "neither an entry nor compressed data"),
        (vec![cut().0, cut().1], "ends inside"),
        (vec![misaligned], "multiple of 4"),
        (vec![odd, file("b", b"")], "neither an entry nor compressed data"),
        (vec![zstd(&[file("a", b""), b"junk".to_vec()].concat())], "something else than entries"),
        (vec![pack(&file("a", b""), Coding::Xz)], "--check=crc32"),
        (vec![file("a/b", b"")], "before its folder"),
        (vec![file("a", b""), file("a/b", b"")], "before its folder"),
        (vec![file("a", b""), file("a", b"")], "twice"),
        (vec![dir("a"), file("a", b"")], "twice"),
        (vec![file("../a", b"")], "has a part that is . or .."),
        (vec![entry(1, 0o040_755, 1, "d", b"x")], "is no file and has bytes"),
        (vec![entry(1, 0o150_000, 1, "d", b"")], "type that the kernel ignores"),
        (vec![link("l", "")], "of a length that the kernel skips"),
        (vec![link("l", &"x".repeat(4096))], "of a length that the kernel skips"),
        (vec![file(&"x".repeat(4096), b"")], "of a length that the kernel skips"),
        (vec![no_nul], "does not end in NUL"),
        (vec![bad_sum], "checksum is wrong"),
        (vec![b"070707".to_vec(), vec![b'0'; 104]], "without the newc magic"),
        (vec![many(200_001)], "more than 200000 entries"),
        (vec![vec![0x02, 0x21, 0x4c, 0x18]], "lz4"),
    ] {
        let error = read(&parts).map(|_| panic!("{why}: passed")).unwrap_err();
        assert!(error.what.contains(why), "{:?} lacks {why:?}", error.what);
    }
}

#[test]
fn every_truncation_is_refused() {
    let raw = [dir("d"), file("d/a", b"1234567"), link("l", "d"), trailer()].concat();
    let entries = [dir("d"), file("d/a", b"1234567"), link("l", "d"), trailer()];
    let ends: Vec<usize> = (1..=entries.len()).map(|n| entries[..n].concat().len()).collect();
    for length in 0..raw.len() {
        assert_eq!(read(&[raw[..length].to_vec()]).is_ok(), ends.contains(&length), "cut at {length}");
    }
    for packed in [zstd(&raw), pack(&raw, Coding::Gzip), xz_crc32(&raw)] {
        for length in 0..packed.len() {
            assert!(read(&[packed[..length].to_vec()]).is_err(), "cut at {length}");
        }
    }
}

#[test]
fn any_altered_byte_gives_an_answer() {
    let raw = [dir("d"), entry(1, 0o100_644, 2, "d/a", b"12"), entry(1, 0o100_644, 2, "d/b", b""), trailer()].concat();
    for at in 0..raw.len() {
        for value in [0, b'0', b'f', 0xff] {
            let mut bytes = raw.clone();
            bytes[at] = value;
            let _ = read(&[bytes]);
        }
    }
}

#[test]
fn hard_links_across_segments_and_trailers() {
    let first = || zstd(&entry(7, 0o100_644, 2, "a", b"shared"));
    let second = |body: &[u8]| zstd(&entry(7, 0o100_644, 2, "b", body));
    assert_eq!(body(&read(&[first(), second(b"")]).unwrap(), "/b"), b"shared");
    let later = read(&[first(), second(b"later")]).unwrap();
    assert_eq!((body(&later, "/a"), body(&later, "/b")), (b"later".as_slice(), b"later".as_slice()));
    let apart = read(&[first(), zstd(&trailer()), second(b"")]).unwrap();
    assert_eq!((body(&apart, "/a"), body(&apart, "/b")), (b"shared".as_slice(), b"".as_slice()));
}

#[test]
fn folders_through_links_and_loops() {
    let usr = [dir("usr"), dir("usr/lib"), link("lib", "usr/lib"), file("lib/a", b"x")];
    assert!(read(&usr).is_ok());
    assert!(read(&[link("a", "b"), link("b", "a"), file("a/x", b"")]).is_err());
    assert!(read(&[link("a", "../.."), file("a/x", b"")]).is_err());
}

#[test]
fn bombs_end_at_the_limit() {
    let zeros = vec![0; 8 << 20];
    let limits = Limits { unpacked: 1 << 20, ..Limits::default() };
    for bomb in [zstd(&zeros), pack(&zeros, Coding::Gzip), xz_crc32(&zeros)] {
        assert!(read_back(&bomb, limits).unwrap_err().what.contains("limit of 1 MiB"));
    }
    let raw = [file("a", &vec![1; 1 << 19]), file("b", &vec![1; 1 << 19])].concat();
    assert!(read_back(&raw, limits).is_err());
}
