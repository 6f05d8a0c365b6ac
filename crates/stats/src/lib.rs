//! Online statistics: what a series is expected to do next, and how unlikely what it did is.
//!
//! Every estimator is a plain value of bounded size that is fed one window (or arrival) at a time and answers with a
//! [`Verdict`]: the probability of something at least as far out, under what was learned so far. Nothing looks ahead.
//! A gap (`NaN`, a window without data) changes nothing.
//!
//! Never here: clocks, randomness, series names, windows as times, decisions about alerts. Elementary functions come
//! from `libm`, so that the same input gives the same bits on every machine.
#![forbid(unsafe_code)]

mod bank;
mod mixture;
mod overshoot;
mod verdict;

pub mod association;
pub mod calibration;
pub mod counts;
pub mod exhaust;
pub mod flat;
pub mod gaps;
pub mod level;
pub mod novelty;
pub mod pace;
pub mod peaks;
pub mod range;
pub mod series;
pub mod sessions;
pub mod share;
pub mod shift;
pub mod tail;
pub mod values;

pub use association::Association;
pub use calibration::Calibration;
pub use counts::CountBaseline;
pub use exhaust::{Fared, Forecast, RunOut};
pub use flat::{FlatLine, FlatVerdict};
pub use gaps::{Overdue, Regularity};
pub use level::Level;
pub use novelty::{Novelty, Shown};
pub use pace::{Pace, PaceWatch};
pub use peaks::Peaks;
pub use range::{Beyond, End, ValueRange};
pub use series::{Company, JointWatch, Leaps, Oddity, SeriesScore, SeriesWatch, Watched};
pub use sessions::{Session, SessionModel};
pub use share::ErrorShare;
pub use shift::{LevelShift, ShiftVerdict};
pub use tail::Tail;
pub use values::{News, PlaceValues};
pub use verdict::{Confidence, Verdict};
