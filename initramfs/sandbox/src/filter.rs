//! The two seccomp programs of a profile.
//!
//! The first kills the process for a call that no program of ours makes under any circumstances. The second allows
//! what is listed and answers everything else with `ENOSYS`, as a kernel without that call would: libraries have a
//! way around it (glibc starts threads with `clone` when there is no `clone3`), and a library update that tries
//! something new costs speed, not the service. Where both apply, killing wins (seccomp(2)).

use crate::allowed::{allowed, Call};
use crate::condition::rule;
use crate::deadly::deadly;
use crate::{Profile, Tcp};
use seccompiler::{BpfProgram, Error, SeccompAction, SeccompFilter, SeccompRule, TargetArch};
use std::collections::BTreeMap;

/// Installs both on all threads. The order is the only possible one: the second refuses to install anything.
pub fn install(profile: Profile, tcp: Tcp<'_>) -> Result<(), Error> {
    seccompiler::apply_filter_all_threads(&killing(profile)?)?;
    seccompiler::apply_filter_all_threads(&allowing(profile, tcp)?)
}

fn killing(profile: Profile) -> Result<BpfProgram, Error> {
    let rules = deadly(profile).map(|number| (number, vec![])).collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::KillProcess, TargetArch::x86_64)?;
    Ok(filter.try_into()?)
}

fn allowing(profile: Profile, tcp: Tcp<'_>) -> Result<BpfProgram, Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for Call(number, ways) in allowed(profile, tcp) {
        let ways = ways.iter().map(|conditions| rule(conditions)).collect::<Result<Vec<_>, _>>()?;
        rules.insert(number, ways);
    }
    let refuse = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, TargetArch::x86_64)?;
    Ok(filter.try_into()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: Tcp<'_> = Tcp { bind: &[], connect: &[53] };
    const OURS: [Profile; 4] = [Profile::Agent, Profile::Resolver, Profile::Gateway, Profile::Metrics];

    fn profiles() -> impl Iterator<Item = Profile> {
        OURS.into_iter().chain([Profile::App])
    }

    /// The kernel takes at most BPF_MAXINSNS instructions.
    #[test]
    fn programs_fit() {
        assert!(profiles().all(|profile| killing(profile).unwrap().len() <= 4096));
        assert!(profiles().all(|profile| allowing(profile, CALLER).unwrap().len() <= 4096));
    }

    /// A call listed twice would lose the conditions of its first entry.
    #[test]
    fn nothing_is_listed_twice_or_in_both() {
        for profile in profiles() {
            let mut numbers: Vec<i64> = allowed(profile, CALLER).map(|call| call.0).collect();
            numbers.extend(deadly(profile));
            let all = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), all, "{profile:?}");
        }
    }

    #[test]
    fn only_who_has_a_port_to_call_can_call() {
        let calls = |profile, tcp| allowed(profile, tcp).any(|call| call.0 == libc::SYS_connect);
        assert!(!calls(Profile::Agent, Tcp::default()) && !calls(Profile::Metrics, Tcp::default()));
        assert!(!calls(Profile::Gateway, Tcp::default()) && calls(Profile::Gateway, CALLER));
        assert!(calls(Profile::Agent, CALLER) && calls(Profile::Resolver, Tcp::default()));
    }

    #[test]
    fn a_foreign_program_makes_no_file_and_no_process() {
        let files =
            [libc::SYS_openat2, libc::SYS_creat, libc::SYS_memfd_create, libc::SYS_pwrite64, libc::SYS_ftruncate];
        let programs = [libc::SYS_fork, libc::SYS_vfork, libc::SYS_clone3, libc::SYS_execve, libc::SYS_kill];
        let has = |number| allowed(Profile::App, Tcp::default()).any(|call| call.0 == number);
        assert!(!files.into_iter().chain(programs).any(has));
        assert!(!has(libc::SYS_connect) && deadly(Profile::App).any(|number| number == libc::SYS_execve));
    }

    #[test]
    fn no_profile_of_ours_opens_files_or_starts_programs() {
        let files = [libc::SYS_open, libc::SYS_openat, libc::SYS_openat2, libc::SYS_creat, libc::SYS_unlink];
        let programs = [libc::SYS_fork, libc::SYS_vfork, libc::SYS_clone3];
        for profile in OURS {
            assert!(allowed(profile, CALLER).all(|call| !files.contains(&call.0) && !programs.contains(&call.0)));
        }
    }
}
