//! The template of every line, as it stands at the end of the input.

use std::io::{self, Write};

use crate::{line_shapes::LineShapes, scanned::PatternSeen};

/// Which pattern each line belongs to.
pub(crate) struct Templates {
    pub(crate) lines: LineShapes,
    /// By the number of the shape: the place of its pattern.
    pub(crate) patterns: Vec<Option<usize>>,
}

impl Templates {
    /// Writes `line_no,template_id,template`, a row a line.
    pub(crate) fn write(self, out: &mut dyn Write, patterns: &[PatternSeen]) -> io::Result<()> {
        out.write_all(b"line_no,template_id,template\n")?;
        let rows: Vec<Vec<u8>> = patterns
            .iter()
            .map(|pattern| row(&pattern.view.id, &pattern.view.template))
            .collect::<io::Result<_>>()?;
        let other = row(&format!("{:016x}", 0), "<*>")?;
        let mut line = 0u64;
        self.lines.read(|shape| {
            line += 1;
            let pattern = shape.and_then(|shape| *self.patterns.get(shape as usize)?);
            let row = pattern.and_then(|pattern| rows.get(pattern)).unwrap_or(&other);
            write!(out, "{line},")?;
            out.write_all(row)
        })?;
        out.flush()
    }
}

/// The end of the rows of a pattern.
fn row(id: &str, template: &str) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([id, template])?;
    writer.into_inner().map_err(|error| error.into_error())
}
