//! Pages of programs that have ended. The kernel puts pages on its lists in batches, one for each processor, and a batch holds its
//! pages until it is full: those of a program that has ended since are neither freed nor cleared (`init_on_free` clears what is
//! freed). Names that users had asked for were found so, minutes after the resolver that knew them had ended (`docs/prove.md`).
//! Giving any memory back empties the batches of the processor that does it (`lru_add_drain` in vms_clear_ptes, mm/vma.c).
#![allow(unsafe_code)]

use super::processors::on_each;
use rustix::mm::{mmap_anonymous, munmap, MapFlags, ProtFlags};

/// Any whole number of pages.
const LENGTH: usize = 64 << 10;

/// Says on how many processors it was done; the others are for the next time.
pub fn give_back() -> usize {
    let mut done = 0;
    on_each(usize::MAX, || done += usize::from(once()));
    done
}

fn once() -> bool {
    // SAFETY: without a wished address the kernel chooses one that nothing of ours has
    let mapped = unsafe { mmap_anonymous(std::ptr::null_mut(), LENGTH, ProtFlags::empty(), MapFlags::PRIVATE) };
    // SAFETY: made above with this length, and nobody else knows of it
    mapped.is_ok_and(|mapped| unsafe { munmap(mapped, LENGTH) }.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_every_processor() {
        let ours = rustix::thread::sched_getaffinity(None).unwrap();
        assert_eq!(give_back(), ours.count() as usize);
        assert_eq!(rustix::thread::sched_getaffinity(None).unwrap(), ours);
    }
}
