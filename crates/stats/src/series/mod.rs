//! One metric series of any cadence: everything that can be odd about it, in one place.
//!
//! [`SeriesWatch`] is fed times and values, oldest first, and finds its own step, its own day and its own noise. Nothing
//! looks ahead, and the same observations give the same bits. [`JointWatch`] sees several series of one service at once, [`Peers`] those that do the
//! same, [`ShapeWatch`] how the values of a histogram are spread.

mod bounds;
mod clock;
mod company;
mod dawn;
mod excess;
mod grain;
mod habit;
mod joint;
mod peers;
mod rarity;
mod recurring;
mod rest;
mod score;
mod season;
mod shape;
mod slots;
mod spread;
mod turn;
mod views;
mod watch;
mod watched;
mod week;

pub use company::Company;
pub use joint::{FEWEST_METRICS, JointWatch, JointlyWatched, Leaps};
pub use peers::{FEWEST_PEERS, OddOneOut, Peers};
pub use score::SeriesScore;
pub use shape::{Gain, LEAST_CELL, MOST_CELL, ShapeSeen, ShapeWatch};
pub use watch::SeriesWatch;
pub use watched::{Oddity, Watched};
