//! The release file of a suite: the newest that any mirror has.
//!
//! All mirrors are asked, because one that fell behind, or that somebody holds back, answers with an old release file
//! whose signature is as good as that of the new one.

use super::date::{now, parse_date};
use super::download::Client;
use super::keyring::Keyring;
use super::mirror::Mirrors;
use super::release::{Release, RELEASE_LIMIT};
use crate::lock::Lock;
use crate::progress::Progress;
use vitrine_attest::{Blame, Error, Result};

/// The newest release file whose signature, suite and dates are right; of several, the first mirror's. Each mirror that
/// is behind or fails is named in a note.
pub(super) fn find_release(
    archive: &str,
    suite: &str,
    mirrors: &Mirrors,
    keyring: &Keyring,
    progress: &Progress,
) -> Result<Release> {
    let urls: Vec<&str> = mirrors.of_archive(archive).collect();
    let mut errors = Vec::new();
    let mut good: Vec<(&str, Release)> = Vec::new();
    for (url, answer) in urls.iter().zip(ask_all(&urls, suite, keyring)) {
        match answer {
            Ok(release) => good.push((url, release)),
            Err(error) => {
                progress.note(&format!("release file of {suite} from {url}: {}", error.what));
                errors.push(error.within(url));
            }
        }
    }
    let Some(newest) = good.iter().filter_map(|(_, release)| parse_date(&release.date)).max() else {
        return Err(none(archive, suite, errors));
    };
    let mut found = None;
    for (url, release) in good {
        if parse_date(&release.date) < Some(newest) {
            progress.note(&format!("{url} is behind: its release file of {suite} is of {}", release.date));
        } else if found.is_none() {
            found = Some(release);
        }
    }
    found.ok_or_else(|| Error::bug("the newest release file was lost"))
}

/// In the order of the mirrors; asked at the same time, so that one that hangs costs its time once.
fn ask_all(urls: &[&str], suite: &str, keyring: &Keyring) -> Vec<Result<Release>> {
    let client = Client::new();
    std::thread::scope(|scope| {
        let asked: Vec<_> = urls.iter().map(|url| scope.spawn(|| ask(&client, url, suite, keyring))).collect();
        let join = |asked: std::thread::ScopedJoinHandle<'_, _>| asked.join();
        asked.into_iter().map(|one| join(one).unwrap_or_else(|_| Err(Error::bug("a thread was lost")))).collect()
    })
}

fn ask(client: &Client, url: &str, suite: &str, keyring: &Keyring) -> Result<Release> {
    let hint = "check the suite in the recipe and the network, or name another mirror with --mirror URL";
    let got =
        client.get(&format!("{url}/dists/{suite}/InRelease"), RELEASE_LIMIT).map_err(|why| Error::host(why, hint))?;
    let bytes = got.ok_or_else(|| Error::host("it does not have one", hint))?;
    let release = Release::open(&bytes, keyring, now())?;
    release.check_suite(suite)?;
    Ok(release)
}

/// Every mirror with its reason. A forged file weighs more than a silent mirror.
fn none(archive: &str, suite: &str, mut errors: Vec<Error>) -> Error {
    errors.sort_by_key(|error| error.blame != Blame::Artefact);
    let all: Vec<&str> = errors.iter().map(|error| error.what.as_str()).collect();
    let what = format!("release file of {suite}: {}", all.join("; "));
    match errors.first() {
        Some(first) => Error { what, ..first.clone() },
        None => {
            let what = format!("release file of {suite}: no mirror of the archive {archive} is known");
            Error::host(what, format!("name one with --mirror http://HOST/{archive}"))
        }
    }
}

/// The first suite whose release file in `new` is older than in `old`: suite, old date, new date.
pub fn older_release<'a>(old: &'a Lock, new: &'a Lock) -> Option<(&'a str, &'a str, &'a str)> {
    new.releases.iter().find_map(|release| {
        let before = old.releases.iter().find(|r| (&r.archive, &r.suite) == (&release.archive, &release.suite))?;
        let older = parse_date(&release.date)? < parse_date(&before.date)?;
        older.then_some((release.suite.as_str(), before.date.as_str(), release.date.as_str()))
    })
}
