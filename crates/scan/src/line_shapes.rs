//! Which shape each line had, on disk while the files are read: a file of hundred million lines has no place in memory,
//! and what template a shape belongs to is known at the end.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    path::PathBuf,
};

/// A line that the stages could not read.
const UNREAD: u32 = u32::MAX;

/// The shapes of the lines of each source, in order. Its files have no name and are gone when it is.
pub(crate) struct LineShapes {
    directory: PathBuf,
    sources: Vec<Option<BufWriter<File>>>,
}

impl LineShapes {
    /// For so many sources, in files of a directory.
    pub(crate) fn new(directory: PathBuf, sources: usize) -> Self {
        Self { directory, sources: std::iter::repeat_with(|| None).take(sources).collect() }
    }

    /// Notes the next lines of a source: their shapes, and nothing of as many more as make `lines`.
    pub(crate) fn note(
        &mut self,
        source: usize,
        shapes: impl ExactSizeIterator<Item = u32>,
        lines: u64,
    ) -> io::Result<()> {
        let Some(file) = self.sources.get_mut(source) else { return Ok(()) };
        if file.is_none() {
            *file = Some(BufWriter::new(tempfile::tempfile_in(&self.directory)?));
        }
        let Some(file) = file else { return Ok(()) };
        let missing = usize::try_from(lines).unwrap_or(usize::MAX).saturating_sub(shapes.len());
        for shape in shapes.chain(std::iter::repeat_n(UNREAD, missing)) {
            file.write_all(&shape.to_le_bytes())?;
        }
        Ok(())
    }

    /// Gives each line's shape to `each`, source by source in the order they were named.
    pub(crate) fn read(self, mut each: impl FnMut(Option<u32>) -> io::Result<()>) -> io::Result<()> {
        for file in self.sources.into_iter().flatten() {
            let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            let mut file = BufReader::with_capacity(256 * 1024, file);
            let mut shape = [0; 4];
            loop {
                match file.read_exact(&mut shape) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                    Err(error) => return Err(error),
                }
                let shape = u32::from_le_bytes(shape);
                each((shape != UNREAD).then_some(shape))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_in_order_source_by_source_those_that_were_not_read_as_such() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut shapes = LineShapes::new(directory.path().to_owned(), 3);
        shapes.note(2, [5, 6].into_iter(), 2).expect("disk");
        shapes.note(0, [1].into_iter(), 3).expect("disk");
        shapes.note(2, [7].into_iter(), 1).expect("disk");
        let mut read = Vec::new();
        let noted = |shape| {
            read.push(shape);
            Ok(())
        };
        shapes.read(noted).expect("disk");
        assert_eq!(read, [Some(1), None, None, Some(5), Some(6), Some(7)]);
        assert_eq!(directory.path().read_dir().expect("it is there").count(), 0, "nothing is left behind");
    }
}
