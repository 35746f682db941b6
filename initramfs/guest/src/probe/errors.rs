//! What an error number says.

use super::Fate;

/// Not permitted, not there, or nothing of the kind in this kernel. ENOSPC: the limit of a kind of namespace is 0.
/// An error like EINVAL or EFAULT would mean that the kernel looked at the arguments before the rights.
const REFUSALS: [i32; 13] = [
    libc::EPERM,
    libc::EACCES,
    libc::ENOSYS,
    libc::EROFS,
    libc::ENOENT,
    libc::ENODEV,
    libc::ENXIO,
    libc::ENOTDIR,
    libc::EAFNOSUPPORT,
    libc::EPROTONOSUPPORT,
    libc::ESOCKTNOSUPPORT,
    libc::EOPNOTSUPP,
    libc::ENOSPC,
];

/// The fate of a system call that gave this result; a negative one has set `errno`.
pub fn fate(result: i64) -> Fate {
    if result >= 0 {
        return Fate::Allowed;
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(error) if REFUSALS.contains(&error) => Fate::Refused,
        _ => Fate::Unclear,
    }
}
