//! Other programs judge what we write: fsck.fat, mtools, sgdisk, xorriso, qemu-img.

use super::medium::tests::bytes;
use super::*;
use crate::uki;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program's output; `None`, with a message, where it is not installed. That is a failure in CI.
fn ask(program: &str, package: &str, arguments: &[&str]) -> Option<(bool, String)> {
    // sgdisk and fsck.fat are not in everybody's PATH
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    let Some(found) = found else {
        assert!(std::env::var_os("CI").is_none(), "{program} is not installed: apt install {package}");
        eprintln!("skipped: {program} is not installed (package {package})");
        return None;
    };
    let output = Command::new(found).args(arguments).env("MTOOLS_SKIP_CHECK", "1").output().unwrap();
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    Some((output.status.success(), text))
}

fn write(folder: &Path, name: &str, medium: &Medium) -> PathBuf {
    let path = folder.join(name);
    write::file(&path, write::Existing::Refuse, |file| medium.write_to(file)).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn fsck_and_mtools_take_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    // small, and so large that clusters have 4 KiB
    for (number, image) in [vec![0xa5; 20_000_001], vec![0x5a; 260 << 20]].iter().enumerate() {
        let layout = fat::Layout::of(image.len() as u64).unwrap();
        let mut volume = Medium::new(u64::from(layout.sectors) * SECTOR as u64);
        layout.write(&mut volume, 0, image, 0x1234_abcd).unwrap();
        let path = write(folder.path(), &format!("{number}.fat"), &volume);
        let Some((clean, said)) = ask("fsck.fat", "dosfstools", &["-n", "-v", text(&path)]) else { return };
        assert!(clean && said.contains("4 files") && !said.contains("ifferences"), "{said}");
        let copy = folder.path().join(format!("{number}.efi"));
        let arguments = ["-i", text(&path), "::/EFI/BOOT/BOOTX64.EFI", text(&copy)];
        let Some((copied, said)) = ask("mcopy", "mtools", &arguments) else { return };
        assert!(copied, "{said}");
        assert!(fs::read(&copy).unwrap() == *image, "mcopy read another file");
        let Some((_, said)) = ask("mdir", "mtools", &["-i", text(&path), "-/", "-f"]) else { return };
        assert!(said.contains("1234-ABCD") && said.contains("VITRINE"), "{said}");
        fs::remove_file(path).unwrap();
    }
}

/// A damaged table is found: the judge can say no.
#[test]
fn sgdisk_takes_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let image = uki::tests::sample();
    let disk = Disk::of(&Image::check(&image).unwrap()).unwrap();
    let iso = Disk::of(&Image::check(&image).unwrap()).unwrap().into_iso().unwrap();
    for (name, disk) in [("disk", &disk), ("iso", &iso)] {
        let path = write(folder.path(), name, &disk.medium);
        let Some((_, said)) = ask("sgdisk", "gdisk", &["-v", text(&path)]) else { return };
        assert!(said.contains("No problems found"), "{said}");
        let Some((_, said)) = ask("sgdisk", "gdisk", &["-p", "-i", "1", text(&path)]) else { return };
        let guid = disk.gpt.disk().to_string().to_uppercase();
        assert!(said.contains(&guid) && said.contains("EFI system partition"), "{said}");
        let mut bytes = fs::read(&path).unwrap();
        bytes[1024 + 32] ^= 1;
        fs::write(&path, bytes).unwrap();
        let (_, said) = ask("sgdisk", "gdisk", &["-v", text(&path)]).unwrap();
        assert!(!said.contains("No problems found"), "{said}");
    }
}

#[test]
fn xorriso_takes_the_iso() {
    let folder = tempfile::tempdir().unwrap();
    let image = uki::tests::sample();
    let checked = Image::check(&image).unwrap();
    let iso = Disk::of(&checked).unwrap().into_iso().unwrap();
    let path = write(folder.path(), "iso", &iso.medium);
    let report = ["-indev", text(&path), "-report_el_torito", "plain", "-report_system_area", "plain"];
    let Some((good, said)) = ask("xorriso", "xorriso", &report) else { return };
    assert!(
        good && said.contains("El Torito boot img :   1  UEFI  y   none") && said.contains("GPT disk GUID"),
        "{said}"
    );
    for (inside, expected) in [("/EFI/BOOT/BOOTX64.EFI", image.clone()), ("/ESP.IMG", partition(&iso))] {
        let copy = folder.path().join("copy");
        let arguments = ["-osirrox", "on", "-indev", text(&path), "-extract", inside, text(&copy)];
        let (good, said) = ask("xorriso", "xorriso", &arguments).unwrap();
        assert!(good, "{said}");
        assert!(fs::read(&copy).unwrap() == expected, "{inside} is another file");
        fs::remove_file(&copy).unwrap();
    }
}

fn partition(disk: &Disk) -> Vec<u8> {
    let at = gpt::FIRST as usize * SECTOR;
    bytes(&disk.medium)[at..at + disk.volume.sectors as usize * SECTOR].to_vec()
}

#[test]
fn qemu_img_gives_the_disk_back() {
    let folder = tempfile::tempdir().unwrap();
    let stub = crate::testpe::minimal_stub(&crate::testpe::StubShape::default());
    let initrd: Vec<u8> = (0..2u32 << 20).flat_map(u32::to_le_bytes).collect();
    let image = uki::assemble(&uki::Parts {
        stub: &stub,
        os_release: "ID=x\n",
        cmdline: "quiet",
        kernel_release: "6",
        initrd: &initrd,
        kernel: &stub,
    })
    .unwrap();
    let disk = Disk::of(&Image::check(&image).unwrap()).unwrap().medium;
    let path = write(folder.path(), "disk.qcow2", &qcow2::of(&disk).unwrap());
    let Some((good, said)) = ask("qemu-img", "qemu-utils", &["check", text(&path)]) else { return };
    assert!(good && said.contains("No errors were found"), "{said}");
    let raw = folder.path().join("raw");
    let convert = ["convert", "-f", "qcow2", "-O", "raw", text(&path), text(&raw)];
    let (good, said) = ask("qemu-img", "qemu-utils", &convert).unwrap();
    assert!(good, "{said}");
    let raw = fs::read(raw).unwrap();
    assert_eq!((raw.len() as u64, Sha256::of(&raw)), (disk.size(), disk.sha256()));
    assert!(fs::metadata(&path).unwrap().len() < image.len() as u64 + (2 << 20), "zeros take room");
}

/// Same image, same bytes; another image, other numbers. If you meant to change a format: say so in the changelog and update these.
#[test]
fn pinned_media() {
    let image = uki::tests::sample();
    let image = Image::check(&image).unwrap();
    let (disk, iso) = (Disk::of(&image).unwrap(), Disk::of(&image).unwrap().into_iso().unwrap());
    let digests = [disk.medium.sha256(), qcow2::of(&disk.medium).unwrap().sha256(), iso.medium.sha256()];
    assert_eq!(digests.map(|digest| digest.short()), ["27925629", "e936afe1", "5fed0d01"]);
    assert_eq!(partition(&disk), partition(&iso));
    assert_eq!(disk.gpt.event(), iso.gpt.event());
}

/// The event is what stands on the disk.
#[test]
fn the_event_is_read_from_the_disk() {
    let image = uki::tests::sample();
    let disk = Disk::of(&Image::check(&image).unwrap()).unwrap();
    let bytes = bytes(&disk.medium);
    let on_disk = [&bytes[512..604], &1u64.to_le_bytes(), &bytes[1024..1152]].concat();
    assert_eq!(disk.gpt.event(), on_disk);
    let boots = boots(Format::Iso, Some(&disk.gpt));
    assert_eq!(boots.iter().map(|boot| boot.gpt_event).collect::<Vec<_>>(), [None, Some(Sha256::of(&on_disk))]);
}
