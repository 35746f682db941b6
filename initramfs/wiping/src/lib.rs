//! Memory that a program gives back is cleared first.
//!
//! PID 1 knows users' keys and inner addresses, and the agent reads what strangers send. Both live as long as the machine.
//! Their allocator keeps what is freed for the next request, with its content: a user whom the owner had removed, and a
//! request that was answered long ago, were found in their heaps (`docs/prove.md`). The kernel's `init_on_free` sees only
//! pages, and none of these went back.
//!
//! It does not clear what C libraries allocate. Stacks are cleared by [`stack`], where somebody calls it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::arch::asm;
use std::hint::black_box;

/// What a deep call may have used of the stack.
const DEPTH: usize = 128 << 10;

/// Clears the stack below the caller: what calls that have returned left there. The thread needs that much of it.
#[inline(never)]
pub fn stack() {
    let mut below = [0_u8; DEPTH];
    black_box(&mut below);
}

/// Gives pages back to the kernel of which the allocator holds nothing any more: after a crowd has gone. The kernel clears them.
pub fn give_back() {
    extern "C" {
        /// malloc_trim(3), for all threads' heaps.
        fn malloc_trim(pad: usize) -> std::ffi::c_int;
    }
    // SAFETY: it may be called at any time and by any thread (MT-Safe), and touches nothing that is in use
    unsafe { malloc_trim(0) };
}

/// The system's allocator, which forgets. `#[global_allocator] static ALLOCATOR: Wiping = Wiping::new();`
#[derive(Debug)]
pub struct Wiping<A = System>(A);

impl Wiping {
    pub const fn new() -> Self {
        Self(System)
    }
}

impl Default for Wiping {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: what the inner allocator promises holds for us: each call is passed on, and a block is written to only within
// its layout and before it is given back. `realloc` is the trait's own: a new block, a copy, and `dealloc` of the old one.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Wiping<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract, which is the same
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract, which is the same
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives a block of this layout that nobody uses any more
        unsafe {
            block.write_bytes(0, layout.size());
            // To the compiler, code that may read the block: it must not leave out what is freed at once
            asm!("/* {0} */", in(reg) block, options(nostack, preserves_flags));
            self.0.dealloc(block, layout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts blocks that come back, and bytes in them that are not zero.
    #[derive(Default)]
    struct Judge {
        blocks: AtomicUsize,
        bytes: AtomicUsize,
    }

    // SAFETY: the system's allocator; a block is read before it is given back.
    unsafe impl GlobalAlloc for Judge {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: as the caller's
            unsafe { System.alloc(layout) }
        }
        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: a block of this layout, all of which has been written to
            let left = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            self.blocks.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(left.iter().filter(|byte| **byte != 0).count(), Ordering::Relaxed);
            // SAFETY: as the caller's
            unsafe { System.dealloc(block, layout) }
        }
    }

    #[test]
    fn what_is_freed_or_moved_is_cleared() {
        let wiping = Wiping(Judge::default());
        let layout = Layout::from_size_align(1000, 8).unwrap();
        // SAFETY: the layouts are those of the blocks, and sizes are not 0
        unsafe {
            let block = wiping.alloc(layout);
            block.write_bytes(7, 1000);
            let block = wiping.realloc(block, layout, 3000);
            assert_eq!((*block, *block.add(999)), (7, 7), "the content moves along");
            block.write_bytes(9, 3000);
            wiping.dealloc(block, Layout::from_size_align(3000, 8).unwrap());
        }
        assert_eq!((wiping.0.blocks.into_inner(), wiping.0.bytes.into_inner()), (2, 0));
    }
}
