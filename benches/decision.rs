//! Cost of a decision: to come with the decision.

fn main() {}
