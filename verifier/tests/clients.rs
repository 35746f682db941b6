//! `wg-config` and `watch` as a client's person runs them.

mod mock;
mod person;

use mock::{Scene, SigningKey};
use person::{cannot_judge, ends, json, serve_scene, text, Person, Served};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Output;
use vitrine_attest::digest::Key32;

const TRUST: &str = "--statement statement --key key --ek-roots roots";

fn wg_config(person: &Person, served: &Served, more: &str) -> Output {
    person.run(&format!("wg-config --server {} {TRUST} {more}", served.url))
}

fn start(scene: Scene) -> (Person, Served) {
    (Person::of(&scene), serve_scene(scene))
}

fn value(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).map(String::from)
}

#[test]
fn a_configuration_with_the_newest_key() {
    let mut scene = Scene::rotating();
    scene.configure(|config| config.resolver = Some(Default::default()));
    scene.rotated = vec![scene.later_key(1)];
    let (person, served) = start(scene);
    let output = wg_config(&person, &served, "--generate --address 10.66.0.7/32");
    ends(&output, 0, "# http://127.0.0.1:");
    let text = text(&output);
    assert_eq!(value(&text, "PublicKey"), Some(Key32([0x61; 32]).to_string()));
    assert_eq!(value(&text, "Endpoint").as_deref(), Some("127.0.0.1:51821"));
    assert_eq!(value(&text, "DNS").as_deref(), Some("10.66.0.1, fd66::1"));
    assert_eq!(value(&text, "AllowedIPs").as_deref(), Some("0.0.0.0/0, ::/0"));
    assert!(text.contains("every 30d: make this file again within 2d"), "{text}");
    let other = wg_config(&person, &served, "--generate --endpoint vpn.example.org:4000 --dns 9.9.9.9");
    let other = self::text(&other);
    assert_eq!(value(&other, "Endpoint").as_deref(), Some("vpn.example.org:4000"));
    assert_eq!(value(&other, "DNS").as_deref(), Some("9.9.9.9"));
    assert_ne!(value(&other, "PrivateKey"), value(&text, "PrivateKey"));
}

#[test]
fn private_keys_stay_private() {
    let (person, served) = start(Scene::good());
    let key = Key32([7; 32]).to_string();
    std::fs::write(person.path("client.key"), format!("{key}\n")).unwrap();
    std::fs::set_permissions(person.path("client.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    cannot_judge(&wg_config(&person, &served, "--private-key-file client.key"), "can be read by others");
    std::fs::set_permissions(person.path("client.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let output = wg_config(&person, &served, "--private-key-file client.key --out client.conf --qr");
    ends(&output, 0, "wrote client.conf; public key, for the owner: ");
    assert!(!text(&output).contains(&key) && text(&output).contains('\u{2588}'));
    assert_eq!(std::fs::metadata(person.path("client.conf")).unwrap().mode() & 0o777, 0o600);
    let written = std::fs::read_to_string(person.path("client.conf")).unwrap();
    assert_eq!(value(&written, "PrivateKey"), Some(key));
    std::fs::write(person.path("client.key"), "no key").unwrap();
    cannot_judge(&wg_config(&person, &served, "--private-key-file client.key"), "no WireGuard private key");
    cannot_judge(&wg_config(&person, &served, "--generate --out no/such/folder"), "no/such/folder");
}

#[test]
fn wg_config_mistakes_and_rejected_servers() {
    let (person, served) = start(Scene::good());
    cannot_judge(&wg_config(&person, &served, "--generate --endpoint x"), "no HOST:PORT");
    cannot_judge(&wg_config(&person, &served, "--generate --address 10.67.0.2/32"), "cannot be yours");
    cannot_judge(&wg_config(&person, &served, "--generate --address 10.66.0.1/32"), "cannot be yours");
    assert_eq!(wg_config(&person, &served, "").status.code(), Some(2), "no private key was asked for");
    served.inside.lock().unwrap().scene.measure(12, "EVIL=1");
    let output = wg_config(&person, &served, "--generate --out client.conf");
    ends(&output, 1, "REJECTED");
    assert!(!person.path("client.conf").exists() && !text(&output).contains("PrivateKey"));
}

fn watch(person: &Person, url: &str, more: &str) -> Output {
    person.run(&format!("watch --server {url} {TRUST} --interval 1s --timeout 60 {more}"))
}

#[test]
fn watch_tells_of_changes_and_runs_the_command_after_a_reboot() {
    let (person, served) = start(Scene::rotating());
    served.inside.lock().unwrap().before = |inside| match inside.looks {
        3 => inside.scene.rotated = vec![inside.scene.later_key(1)],
        5 => {
            inside.scene.rotated.clear();
            inside.scene.reboot(0x58);
        }
        7 => inside.scene.measure(12, "EVIL=1"),
        _ => {}
    };
    let output = watch(&person, &served.url, "--json --count 8 --on-reboot -- sh -c printenv>hooked;exit$IFS'3'");
    let lines: Vec<serde_json::Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["accepted", "rotated", "rebooted", "command", "rejected"], "{}", text(&output));
    assert_eq!(lines[1]["generation"], 1);
    assert_eq!(lines[2]["wireguard"], Key32([0x58; 32]).to_string());
    assert_eq!(lines[3]["exit_code"], 3);
    assert!(lines[4]["reasons"].to_string().contains("pcr-12-not-zero"));
    assert_eq!(output.status.code(), Some(2), "the command has failed");
    let hooked = std::fs::read_to_string(person.path("hooked")).unwrap();
    assert!(hooked.contains(&format!("VITRINE_WG_KEY={}", Key32([0x58; 32]))), "{hooked}");
    assert!(hooked.contains(&format!("VITRINE_SERVER={}", served.url)));
}

#[test]
fn watch_in_words() {
    let (person, served) = start(Scene::good());
    let output = watch(&person, &served.url, "--count 2");
    ends(&output, 0, "20");
    assert_eq!(text(&output).lines().count(), 1);
    assert!(
        text(&output).contains(&format!("Z accepted WireGuard key {} of generation 0, UDP 51820", Key32([0x57; 32])))
    );
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = watch(&person, &format!("http://{closed}"), "--count 1 --json");
    assert_eq!((output.status.code(), json(&output)["event"].as_str()), (Some(2), Some("unreachable")));
    let stranger = Person::of(&Scene { release_key: SigningKey::from_bytes(&[9; 32]), ..Scene::good() });
    ends(&watch(&stranger, &served.url, "--count 1"), 1, "20");
    std::fs::remove_file(person.path("statement")).unwrap();
    cannot_judge(&watch(&person, &served.url, "--count 1"), "statement");
    assert_eq!(watch(&stranger, &served.url, "--on-reboot --count 1").status.code(), Some(2), "no command");
}
