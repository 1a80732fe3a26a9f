// Stacks of Rust with v0 names. Debian's compiler is too large for the lab, so calls-rust.s is what
//
//   rustc --edition 2024 -O -C panic=abort -C force-unwind-tables -C codegen-units=1
//     -C symbol-mangling-version=v0 --emit asm -o calls-rust.s calls.rs
//
// of Rust 1.95 makes of this file, and gcc links it.
#![no_std]
#![no_main]

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

unsafe extern "C" {
    fn pause() -> c_int;
    fn creat(path: *const c_char, mode: c_uint) -> c_int;
    fn pthread_create(
        thread: *mut usize,
        attributes: *const c_void,
        start: extern "C" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void,
    ) -> c_int;
}

static READY: AtomicU32 = AtomicU32::new(0);

#[inline(never)]
fn stand_still() {
    if READY.fetch_add(1, Ordering::SeqCst) == 3 {
        unsafe { creat(c"/tmp/ready".as_ptr(), 0o644) };
    }
    loop {
        unsafe { pause() };
    }
}

trait Shape<'a> {
    type Out;
    fn area(&self, scale: &'a [u8; 3]) -> Self::Out;
}

struct Square<T, const N: usize>(T);

impl<'a, T: Copy, const N: usize> Shape<'a> for Square<T, N> {
    type Out = (T,);
    #[inline(never)]
    fn area(&self, scale: &'a [u8; 3]) -> (T,) {
        stand_still();
        black_box(scale);
        (self.0,)
    }
}

#[inline(never)]
fn each<T, F: Fn(&T) -> bool>(values: &[T], wanted: F) -> usize {
    values.iter().filter(|one| black_box(wanted(one))).count()
}

#[inline(never)]
fn recurse(depth: u32, last: &dyn Fn(u32) -> u32) -> u32 {
    if depth == 0 {
        return last(depth) + 1;
    }
    black_box(recurse(depth - 1, last)) + 1
}

mod gödel {
    #[inline(never)]
    pub fn müller(number: u32) -> u32 {
        super::stand_still();
        number
    }
}

extern "C" fn shapes(_: *mut c_void) -> *mut c_void {
    let square = Square::<i64, 12>(5);
    let any: &dyn Shape<'_, Out = (i64,)> = black_box(&square);
    black_box(any.area(&[1, 2, 3]));
    core::ptr::null_mut()
}

extern "C" fn closures(_: *mut c_void) -> *mut c_void {
    let found = each(&["a", "b"], #[inline(never)] |one: &&str| {
        stand_still();
        one.len() == 1
    });
    black_box(found);
    core::ptr::null_mut()
}

extern "C" fn recursion(_: *mut c_void) -> *mut c_void {
    black_box(recurse(20, &|depth| gödel::müller(depth) + 1));
    core::ptr::null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    for start in [shapes, closures, recursion] {
        let mut thread = 0;
        unsafe { pthread_create(&mut thread, core::ptr::null(), start, core::ptr::null_mut()) };
    }
    stand_still();
    0
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
