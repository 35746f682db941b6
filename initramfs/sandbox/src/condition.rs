//! Conditions on the arguments of system calls.

use seccompiler::{BackendError, SeccompCmpArgLen as Length, SeccompCmpOp as Op, SeccompCondition, SeccompRule};

/// What has to hold for an argument. Arguments are counted from 0; `int` arguments are compared as 32 bits, since
/// the kernel looks at no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Argument, value.
    Is(u8, u32),
    /// Argument, mask, value: `argument & mask == value`.
    Masked(u8, u32, u32),
    /// A pointer that is not given.
    Null(u8),
}
pub use Condition::{Is, Masked, Null};

impl Condition {
    fn compile(self) -> Result<SeccompCondition, BackendError> {
        match self {
            Self::Is(argument, value) => SeccompCondition::new(argument, Length::Dword, Op::Eq, value.into()),
            Self::Masked(argument, mask, value) => {
                SeccompCondition::new(argument, Length::Dword, Op::MaskedEq(mask.into()), value.into())
            }
            Self::Null(argument) => SeccompCondition::new(argument, Length::Qword, Op::Eq, 0),
        }
    }
}

/// All conditions of one way to make a call.
pub fn rule(conditions: &[Condition]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.iter().map(|condition| condition.compile()).collect::<Result<_, _>>()?)
}
