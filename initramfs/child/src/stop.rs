//! How a program inside the image ends when a step fails: quietly, by a code fixed at compile time.

/// A step that failed. It has no room for text made at run time, so no message can carry an address, a key or a name.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_forgotten() {
        let cause: Result<(), &str> = Err("198.51.100.7");
        assert_eq!(cause.or_stop("mounts"), Err(Stop("mounts")));
        assert_eq!(None::<u8>.or_stop("x"), Err(Stop("x")));
        assert_eq!(Some(1).or_stop("x"), Ok(1));
    }
}
