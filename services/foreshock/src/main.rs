//! The `foreshock` command.
fn main() {}
