//! Whole builds of the shipped recipe, from the store alone.
//!
//! They need what `make images` leaves: our programs, and packages in the store. Where either is missing they say that
//! they were skipped at home, and fail in CI.

mod whole;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use vitrine_attest::dsse::Envelope;
use vitrine_attest::vkey::NoteKey;
use vitrine_attest::zero_log::ZeroLogStatement;
use whole::{build, empty_cache, keys, lock, names, possible, programs, recipe, succeed, text, vitrine};

/// Another folder with a long path, umask, time zone, locale, home, user name, one processor, nothing in the cache.
#[test]
fn two_builds_are_alike() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b".repeat(100)).join("with a space"));
    succeed(build(&a, &["--unsigned"]));
    let cold = empty_cache(&dir.path().join("cache"));
    let plain = build(&b, &["--unsigned"]);
    let mut other = Command::new("sh");
    other
        .args(["-c", "umask 077; if command -v taskset >/dev/null; then exec taskset -c 0 \"$0\" \"$@\"; else exec \"$0\" \"$@\"; fi"])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(dir.path())
        .env("TZ", "Pacific/Kiritimati")
        .env("LC_ALL", "tr_TR.UTF-8")
        .env("USER", "somebody")
        .env("HOME", dir.path())
        .env("VITRINE_CACHE", cold)
        .env("SOURCE_DATE_EPOCH", "1");
    succeed(other);
    let image = |out: &Path| fs::read(out.join("6-image.unsigned.efi")).unwrap();
    assert!(image(&a) == image(&b), "6-image.unsigned.efi differs");
    succeed(vitrine(&["diff", text(&a), text(&b)]));
}

#[test]
fn a_changed_configuration_is_named_by_diff() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    succeed(build(&a, &["--unsigned"]));
    succeed(build(&b, &["--unsigned", "--set", "config.wireguard.ports=[51999]"]));
    let output = vitrine(&["diff", text(&a), text(&b)]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("stage 1 is the first that differs: 1-recipe.toml") && said.contains("51999"), "{said}");
    let output = vitrine(&["diff", text(&a.join("6-image.unsigned.efi")), text(&b.join("6-image.unsigned.efi"))]);
    let said = String::from_utf8({ output }.output().unwrap().stdout).unwrap();
    assert!(said.contains(".initrd") && !said.contains(".linux"), "{said}");
}

/// The archive alone is enough: nothing in the cache, no mirror, no proxy, no folder of programs.
#[test]
fn an_archive_rebuilds_the_image_without_a_network() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (archive, a, b) = (dir.path().join("exit.tar"), dir.path().join("a"), dir.path().join("b"));
    let mut vendor = vitrine(&["vendor", "--offline", "-q"]);
    vendor.arg(recipe()).arg("--lock").arg(lock()).arg("--programs").arg(programs()).arg("--out").arg(&archive);
    succeed(vendor);
    succeed(build(&a, &["--unsigned"]));
    let mut again = vitrine(&["build", "-q", "--from", text(&archive), "--out", text(&b), "--unsigned"]);
    again
        .env_remove("VITRINE_PROGRAMS")
        .env("VITRINE_MIRROR", "http://127.0.0.1:1/debian")
        .env("http_proxy", "http://127.0.0.1:1");
    again.env("VITRINE_CACHE", dir.path().join("cache"));
    succeed(again);
    let image = |out: &Path| fs::read(out.join("6-image.unsigned.efi")).unwrap();
    assert!(image(&a) == image(&b), "6-image.unsigned.efi differs");
    succeed(vitrine(&["diff", text(&a), text(&b)]));
    let mut compile =
        vitrine(&["compile", "-q", "--from", text(&archive), "--out", text(&dir.path().join("programs"))]);
    let output = compile.env("VITRINE_CACHE", dir.path().join("cache")).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("nothing that they are compiled from") && errors.contains("--toolchain LOCK"), "{errors}");
}

/// What the screen finds is printed and written; nothing after it is.
#[test]
fn a_refused_image_leaves_its_findings_and_nothing_later() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let output = build(dir.path(), &["--unsigned", "--set", "image.cmdline=quiet"]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("the screen refuses this image") && errors.contains("lacks audit=0"), "{errors}");
    assert_eq!(names(dir.path()), ["1-recipe.toml", "2-lock.toml", "3-tree.txt", "4-screen.json"]);
    let findings: serde_json::Value =
        serde_json::from_slice(&fs::read(dir.path().join("4-screen.json")).unwrap()).unwrap();
    assert!(!findings["findings"].as_array().unwrap().is_empty());
}

/// The compliance hash that the build signs comes out again from the image alone and the published waivers; another
/// image's statement is not taken, and without the waivers the image is refused.
#[test]
fn anybody_computes_the_compliance_hash_again() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (keys, out) = (dir.path().join("keys"), dir.path().join("out"));
    succeed(vitrine(&["keygen", "-q", "--out", text(&keys)]));
    succeed(build(&out, &["--keys", text(&keys)]));
    let alone = dir.path().join("downloaded.efi");
    fs::copy(out.join("image.efi"), &alone).unwrap();
    let screen = |target: &Path, more: &[&str]| {
        let output = vitrine(&["screen", "--json", text(target)]).args(more).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), json["zero_log_compliance_hash"].as_str().map(String::from))
    };
    let (statement, key) = (out.join("release.dsse.json"), keys.join("release.pub"));
    let (code, hash) = screen(&alone, &["--statement", text(&statement), "--key", text(&key)]);
    assert_eq!(code, Some(0));
    let envelope = Envelope::from_json(&fs::read(out.join("zero-log.dsse.json")).unwrap()).unwrap();
    let key = NoteKey::from_file(&fs::read(&key).unwrap()).unwrap();
    let signed = ZeroLogStatement::verify(&envelope, key.key()).unwrap();
    assert_eq!(hash, Some(signed.predicate.hash.to_string()));
    assert_eq!(screen(&out, &[]), (Some(0), hash.clone()), "the output folder says something else");
    let (code, other) = screen(&alone, &[]);
    assert!(code == Some(1) && other != hash, "the waivers are no part of the hash");
    // the unsigned image is another file with the same contents, and the same Authenticode digest
    assert_eq!(screen(&out.join("6-image.unsigned.efi"), &["--statement", text(&statement)]), (Some(0), hash));
    let second = dir.path().join("second");
    succeed(build(&second, &["--keys", text(&keys), "--set", "config.wireguard.ports=[51999]"]));
    let (code, none) = screen(&second.join("image.efi"), &["--statement", text(&statement)]);
    assert_eq!((code, none), (Some(2), None), "another image's statement was taken");
}

/// kill -9 in the middle, at several moments: no half-written file under a final name, and the next build is whole.
#[test]
fn a_killed_build_leaves_nothing_half_written() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (whole, out) = (dir.path().join("whole"), dir.path().join("out"));
    succeed(build(&whole, &["--unsigned"]));
    for file in ["1-recipe.toml", "4-screen.json", "5-initramfs.cpio.zst"] {
        let mut child = build(&out, &["--unsigned"]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        while !out.join(file).exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for name in names(&out).iter().filter(|name| !name.starts_with(".partial-")) {
            assert!(fs::read(out.join(name)).unwrap() == fs::read(whole.join(name)).unwrap(), "{name} is half-written");
        }
    }
    succeed(build(&out, &["--unsigned"]));
    assert_eq!(names(&out), names(&whole));
}

/// Every way to sign gives the same image.
#[test]
fn key_file_command_and_attached_signature_agree() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let (db_key, db_crt) = (keys().join("db.key"), keys().join("db.crt"));
    succeed(build(&out, &["--keys", text(keys())]));
    let image = fs::read(out.join("image.efi")).unwrap();
    let unsigned = out.join("6-image.unsigned.efi");
    let signed = dir.path().join("signed.efi");
    let command = format!("openssl dgst -sha256 -sign '{}'", db_key.display());
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: openssl is not installed");
        return;
    }
    let sign = |more: &[&str]| {
        let mut args = vec!["sign", text(&unsigned), "--out", text(&signed)];
        args.extend(more);
        succeed(vitrine(&args));
        assert!(fs::read(&signed).unwrap() == image, "{more:?} gives another image");
    };
    sign(&["--keys", text(keys())]);
    sign(&["--sign-with", &command, "--cert", text(&db_crt)]);
    let attributes = succeed(vitrine(&["sign", text(&unsigned), "--print-attributes"])).stdout;
    let (to_sign, signature) = (dir.path().join("to-sign"), dir.path().join("signature"));
    fs::write(&to_sign, attributes).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-sign", text(&db_key), "-out", text(&signature), text(&to_sign)]);
    succeed(openssl);
    sign(&["--attach", text(&signature), "--cert", text(&db_crt)]);

    let again = dir.path().join("again");
    succeed(build(&again, &["--keys", text(keys()), "--sign-with", &command, "--cert", text(&db_crt)]));
    assert!(fs::read(again.join("image.efi")).unwrap() == image);
}

/// What the release says is what the files are.
#[test]
fn release_inspect_and_predict_agree() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let said = succeed(build(&out, &["--json", "--keys", text(keys())])).stdout;
    let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_slice(&succeed(vitrine(&[&["--json"], args].concat())).stdout).unwrap()
    };
    let seen = json(&["inspect", text(&out)]);
    assert_eq!(seen["fingerprint"], said["fingerprint"]);
    assert_eq!(seen["image"]["authenticode"], said["authenticode"]);
    assert_eq!(seen["image"]["config_digest"], said["config_digest"]);
    assert_eq!(seen["image"]["layers"].as_array().unwrap().len(), 4);
    let secure_boot = keys().join("secure-boot.json");
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(out.join("8-pcrs.json")).unwrap()).unwrap();
    for image in ["image.efi", "6-image.unsigned.efi"] {
        assert_eq!(json(&["predict", text(&out.join(image)), "--secure-boot", text(&secure_boot)]), kept, "{image}");
    }
    let sbom: serde_json::Value = serde_json::from_slice(&fs::read(out.join("sbom.cdx.json")).unwrap()).unwrap();
    let inputs: Vec<_> = sbom["components"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    for name in ["vitrine-init", "vitrine-agent", "vitrine-resolver", "vitrine-metrics", "libc6", "systemd-boot-efi"] {
        assert!(inputs.contains(&name), "{name} is not among {inputs:?}");
    }
}

/// The filter's bytes and the blocklist are in the image, are readable there, and follow from the configuration.
#[test]
fn firewall_and_blocklist_are_in_the_image() {
    if !possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (out, list) = (dir.path().join("out"), dir.path().join("list.txt"));
    fs::write(&list, "0.0.0.0 Ads.Example\na.example.\n").unwrap();
    let set = format!("image.blocklist={}", list.display());
    succeed(build(&out, &["--unsigned", "--set", &set, "--set", "config.firewall.reach=[\"10.1.0.0/16\"]"]));
    let tree = fs::read_to_string(out.join("3-tree.txt")).unwrap();
    let digest = vitrine_attest::Sha256::of(b"a.example\nads.example\n").to_string();
    let lists = |path: &str, part: &str| tree.lines().any(|line| line.ends_with(path) && line.contains(part));
    assert!(lists(" /etc/vitrine/blocklist", &digest) && lists(" /etc/vitrine/firewall.batch", "100444"), "{tree}");
    let seen = succeed(vitrine(&["--json", "inspect", text(&out)])).stdout;
    let image = serde_json::from_slice::<serde_json::Value>(&seen).unwrap()["image"].clone();
    assert_eq!(image["config"]["resolver"]["blocklist"], digest);
    assert_eq!((&image["firewall_is_of_config"], &image["firewall"]["name"]), (&true.into(), &"vitrine".into()));
    let said = String::from_utf8(succeed(vitrine(&["inspect", text(&out)])).stdout).unwrap();
    let rule = "iifname \"wg*\" oifname \"outer\" ip daddr 10.1.0.0/16 accept";
    assert!(said.contains("what this version makes from the configuration") && said.contains(rule), "{said}");
}

/// A server without an owner takes no peers: said, not refused.
#[test]
fn a_missing_owner_is_noted() {
    if !possible() {
        return;
    }
    let note = "config.owner is missing";
    for (owner, expected) in [(None, true), (Some("config.owner=Wu0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), false)]
    {
        let dir = tempfile::tempdir().unwrap();
        let mut command = vitrine(&["build", "--offline", "--unsigned"]);
        command.arg(recipe()).arg("--lock").arg(lock()).arg("--programs").arg(programs()).arg("--out").arg(dir.path());
        command.args(owner.iter().flat_map(|owner| ["--set", owner]));
        let errors = String::from_utf8(succeed(command).stderr).unwrap();
        assert_eq!(errors.contains(note), expected, "{errors}");
    }
}
