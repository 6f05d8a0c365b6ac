//! Tables that are written while the files are read: forecasts and alarms.

use std::{
    fs::File,
    io::{self, BufWriter},
};

use foreshock_detect::pipeline::Seen;
use foreshock_scan::{Alarms, Forecasts};

use super::out_file::OutFile;
use crate::cli::Scan;

/// The tables that were asked for.
pub(super) struct Rows {
    forecasts: Option<(OutFile, Forecasts<BufWriter<File>>)>,
    alarms: Option<(OutFile, Alarms<BufWriter<File>>)>,
}

impl Rows {
    pub(super) fn open(command: &Scan) -> anyhow::Result<Self> {
        let mut rows = Self { forecasts: None, alarms: None };
        if let Some(path) = &command.forecasts {
            let file = OutFile::open(path)?;
            let forecasts = Forecasts::new(file.writer()?)?;
            rows.forecasts = Some((file, forecasts));
        }
        if let Some(path) = &command.alarms {
            let file = OutFile::open(path)?;
            let alarms = Alarms::new(file.writer()?)?;
            rows.alarms = Some((file, alarms));
        }
        Ok(rows)
    }

    pub(super) fn note(&mut self, seen: &Seen) -> io::Result<()> {
        if let Some((_, forecasts)) = &mut self.forecasts {
            forecasts.note(seen)?;
        }
        if let Some((_, alarms)) = &mut self.alarms {
            alarms.note(seen)?;
        }
        Ok(())
    }

    /// Puts what was written in its place.
    pub(super) fn keep(self) -> anyhow::Result<()> {
        if let Some((file, forecasts)) = self.forecasts {
            forecasts.finish()?;
            file.keep()?;
        }
        if let Some((file, alarms)) = self.alarms {
            alarms.finish()?;
            file.keep()?;
        }
        Ok(())
    }
}
