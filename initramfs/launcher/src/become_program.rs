//! Running the program, by descriptor and once.

use std::ffi::CString;
use std::ptr::null;
use vitrine_attest::config::App;
use vitrine_sandbox::PROGRAM_FD;

/// Arguments and environment in the form that the kernel takes, made while memory may still be had.
pub struct Words {
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Words {
    /// None: a word with a zero in it.
    pub fn new(app: &App) -> Option<Self> {
        let arguments = app.command.iter().map(|word| CString::new(word.as_str()).ok()).collect::<Option<_>>()?;
        let environment = app.environment.iter().map(|(name, value)| CString::new(format!("{name}={value}")).ok());
        Some(Self { arguments, environment: environment.collect::<Option<_>>()? })
    }

    /// execveat(2). Returns only when that failed.
    #[allow(unsafe_code)] // the one call: pointers to pointers
    pub fn run(&self) {
        let pointers =
            |words: &[CString]| -> Vec<_> { words.iter().map(|word| word.as_ptr()).chain([null()]).collect() };
        let (arguments, environment) = (pointers(&self.arguments), pointers(&self.environment));
        // SAFETY: both arrays end with a null pointer, and they and what they point to live until the call returns
        unsafe {
            libc::syscall(
                libc::SYS_execveat,
                PROGRAM_FD,
                c"".as_ptr(),
                arguments.as_ptr(),
                environment.as_ptr(),
                libc::AT_EMPTY_PATH,
            )
        };
    }
}
