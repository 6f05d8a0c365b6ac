//! A simulated shop: eleven services that write logs, metrics and traces as such services really do, with a daily
//! rhythm, noise, small mishaps, restarts and a release, and, if asked for, one failure that is coming.
//!
//! [`Shop`] is pure: no wall clock, no network; the same seed and options give the same bytes. [`drive`] sends what
//! it says to a receiver. Nothing in the telemetry tells that there is a fault, or which: only its effects do.

mod background;
mod calendar;
mod drive;
mod export;
mod fault;
mod instance;
mod lines;
mod meters;
mod physics;
mod purchase;
mod random;
mod releases;
mod services;
mod shop;
mod traffic;
mod wire;

pub use drive::{DriveError, DriveOptions, Progress, Speed, drive, wall_clock};
pub use fault::{Fault, Label};
pub use shop::{Request, Shop, ShopOptions};
