//! The applications and libraries that must go on working (the list is in the enforcement document): each runs once
//! straight against slapd and once through the gate with something protected elsewhere in the tree, and is told
//! the same; then it is told of what is protected, in its own terms.

mod libraries;
mod replays;
mod services;
