//! A witness with two keys: a log gets both lines, each client counts the one whose key it has, and only one who has the secret half
//! signs.

use super::*;
use std::os::unix::fs::PermissionsExt as _;

fn both() -> (Place, NoteKey) {
    let tempdir = tempfile::tempdir().unwrap();
    let folder = tempdir.path().join("w");
    let said = done(&["init", "--name", NAME, "--ml-dsa"], &folder);
    let keys: Vec<NoteKey> = said.lines().map(|line| NoteKey::of_log(line).unwrap()).collect();
    let [key, second] = <[NoteKey; 2]>::try_from(keys).unwrap();
    assert_eq!((key.kind(), second.kind()), (Kind::Cosignature, Kind::MlDsa44));
    assert_eq!((key.name(), second.name()), (NAME, NAME));
    done(&["add-log", "--key", &Log::new("a", 0).key().to_string()], &folder);
    (Place { _tempdir: tempdir, folder, key }, second)
}

#[test]
fn both_keys_sign_each_checkpoint() {
    let (log, (place, second)) = (Log::new("a", 300), both());
    let running = place.serve();
    let answer = running.add(&log.request(0, 5));
    assert_eq!((answer.status, answer.body.lines().count()), (200, 2), "{}", answer.body);
    let note = Note::parse(format!("{}{}", log.note(5), answer.body).as_bytes()).unwrap();
    let keys = [log.key(), place.key.clone(), second.clone()];
    let signers = note.signers(&keys).unwrap();
    assert_eq!(signers.iter().map(|signer| signer.key).collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>());
    assert_eq!(signers[1].time, signers[2].time);
    assert!(now() - signers[2].time.unwrap() < 60);
    // hedged: the same once more is another signature
    let again = running.add(&log.request(5, 5)).body;
    assert_ne!(again.lines().nth(1), answer.body.lines().nth(1));

    // who knows one of the keys asks for that one
    for (key, size) in [(&place.key, 9), (&second, 12)] {
        let at = WitnessAt { key: key.clone(), ..place.at(&running, 0) };
        assert!(asked(&[at], &log, size, PATIENT)[0].is_ok(), "{key}");
    }
    let stranger = both().1;
    let at = WitnessAt { key: stranger, ..place.at(&running, 12) };
    assert!(matches!(asked(&[at], &log, 12, PATIENT)[0], Err(Failure::BadSignature(_))));
}

#[test]
fn the_folder_of_two_keys() {
    let ((place, second), (other, _)) = (both(), both());
    let [key, public] = ["witness-ml-dsa.key", "witness-ml-dsa.pub"].map(|file| place.folder.join(file));
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let pem = std::fs::read_to_string(&key).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n") && pem.len() < 200);
    assert_eq!(place.shown()["ml_dsa_key"].as_str(), Some(second.to_string().as_str()));
    assert!(done(&["show"], &place.folder).contains(&second.to_string()));
    assert!(refused(&["init", "--name", NAME], &place.folder).contains("already"));

    let serve = || refused(&["serve", "--listen", "127.0.0.1:0"], &place.folder);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(serve().contains("0644"));
    std::fs::copy(other.folder.join("witness-ml-dsa.key"), &key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(serve().contains("do not belong together"));
    std::fs::remove_file(&key).unwrap();
    assert!(serve().contains("witness-ml-dsa.key"), "half of it is not left out in silence");
    std::fs::write(&key, pem.replace("BAMR", "BAMS")).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(serve().contains("no ML-DSA-44 key"));
    std::fs::write(&public, format!("{}\n", place.key)).unwrap();
    assert!(serve().contains("no key of ML-DSA-44"));
    std::fs::write(&public, second.to_string().replace(NAME, "another")).unwrap();
    assert!(serve().contains("no key of ML-DSA-44"), "the name is in the id");
    std::fs::write(&public, format!("{}\n", NoteKey::of_kind(Kind::MlDsa44, "another", second.key().clone()).unwrap()))
        .unwrap();
    assert!(serve().contains("two names"));
}
