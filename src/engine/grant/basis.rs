//! On what a request was approved: reviews, a rule, or that its holder broke the glass.

use serde::{Deserialize, Serialize};

/// On what a request was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// People decide.
    #[default]
    Reviews,
    /// A rule of the role, counted from 1.
    Automatic(u32),
    /// Nobody: its holder activated it at once, and an auditor signs it off later.
    BreakGlass,
}

impl Basis {
    /// Whether people decide.
    pub fn is_reviews(&self) -> bool {
        *self == Basis::Reviews
    }

    /// Whether nobody decided.
    pub fn is_break_glass(self) -> bool {
        self == Basis::BreakGlass
    }

    /// The rule, if one did.
    pub fn rule(self) -> Option<u32> {
        match self {
            Basis::Automatic(rule) => Some(rule),
            Basis::Reviews | Basis::BreakGlass => None,
        }
    }
}
