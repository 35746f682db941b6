//! Dated copies of an archive: what the mirrors dropped, they still have.

use super::date::{parse_date, stamp};
use super::mirror::{archive_of, check, split, with_archive, Mirrors, ARCHIVES};
use crate::lock::Lock;
use vitrine_attest::Result;

/// A copy is named by when it was taken, which is some time after the date that the release file has. Such services
/// answer with the last copy before the time that is asked for, and take several a day.
const HOURS_LATER: [u64; 3] = [0, 6, 24];
/// Environment variable with addresses, separated by spaces or commas.
pub const SNAPSHOT_VARIABLE: &str = "VITRINE_SNAPSHOT";
/// In an address, where its date does not stand at the end.
const DATE: &str = "{date}";

/// What `--snapshot` names; without any, what `VITRINE_SNAPSHOT` does.
pub fn named_snapshots(flag: &[String]) -> Vec<String> {
    if !flag.is_empty() {
        return flag.to_vec();
    }
    let variable = std::env::var(SNAPSHOT_VARIABLE).unwrap_or_default();
    split(&variable).map(str::to_string).collect()
}

impl Mirrors {
    /// Puts dated copies behind the mirrors, by the dates of the lock's release files: `BASE/20260912T075541Z`, or the
    /// address with that in place of `{date}`. As for mirrors, a folder `debian` in the path stands for the archive.
    ///
    /// # Errors
    /// [`vitrine_attest::Blame::Input`] for an address that cannot be used.
    pub fn with_snapshots(mut self, bases: &[String], lock: &Lock) -> Result<Self> {
        for base in bases {
            check(base, "write it like --snapshot http://HOST/archive/debian")?;
            for archive in ARCHIVES {
                for hours in HOURS_LATER {
                    if let Some(url) = address(base, archive, hours, lock) {
                        self.add(archive, &url);
                    }
                }
            }
        }
        Ok(self)
    }
}

fn address(base: &str, archive: &str, hours: u64, lock: &Lock) -> Option<String> {
    let dates = lock.releases.iter().filter(|release| release.archive == archive);
    let newest = dates.filter_map(|release| parse_date(&release.date)).max()?;
    let base = base.trim_end_matches('/');
    let place = match archive_of(base) {
        Some(own) => with_archive(base, own, archive),
        None if archive == ARCHIVES[0] => base.to_string(),
        None => return None,
    };
    let date = stamp(newest + hours * 3600);
    Some(match place.contains(DATE) {
        true => place.replace(DATE, &date),
        false => format!("{place}/{date}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(base: &str) -> Vec<String> {
        let mut lock = crate::lock::tests::sample();
        let security = crate::lock::LockedRelease {
            archive: "debian-security".into(),
            date: "Sat, 12 Sep 2026 23:00:00 UTC".into(),
            ..lock.releases[0].clone()
        };
        lock.releases.push(security);
        let mirrors = Mirrors::default().with_snapshots(&[base.to_string()], &lock).unwrap();
        ARCHIVES
            .iter()
            .flat_map(|archive| mirrors.of_archive(archive).map(str::to_string).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn dates_come_from_the_lock() {
        assert_eq!(
            addresses("http://a.test/archive/debian/"),
            [
                "http://a.test/archive/debian/20260912T075541Z",
                "http://a.test/archive/debian/20260912T135541Z",
                "http://a.test/archive/debian/20260913T075541Z",
                "http://a.test/archive/debian-security/20260912T230000Z",
                "http://a.test/archive/debian-security/20260913T050000Z",
                "http://a.test/archive/debian-security/20260913T230000Z",
            ]
        );
        assert_eq!(addresses("http://a.test/{date}/debian")[0], "http://a.test/20260912T075541Z/debian");
        assert_eq!(addresses("http://a.test/x").len(), 3, "where only debian is known");
        let lock = crate::lock::tests::sample();
        assert!(Mirrors::default().with_snapshots(&["ftp://a.test".into()], &lock).is_err());
    }
}
