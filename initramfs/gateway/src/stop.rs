//! How the gateway ends when a step of its start fails: quietly, by a code fixed at compile time.

/// A step that failed. It has no room for text made at run time, so it can carry no name, address or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop(pub &'static str);

/// What every step gives.
pub type Step<T = ()> = Result<T, Stop>;

/// Forgets the cause of a failure and keeps a fixed code.
pub trait OrStop<T> {
    fn or_stop(self, code: &'static str) -> Step<T>;
}

impl<T, E> OrStop<T> for Result<T, E> {
    fn or_stop(self, code: &'static str) -> Step<T> {
        self.map_err(|_| Stop(code))
    }
}

impl<T> OrStop<T> for Option<T> {
    fn or_stop(self, code: &'static str) -> Step<T> {
        self.ok_or(Stop(code))
    }
}
