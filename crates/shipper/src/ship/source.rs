//! What is shipped from: files that are followed, and standard input.

use std::{
    io::{self, Read},
    path::PathBuf,
    sync::mpsc::{Receiver, TryRecvError, sync_channel},
    thread,
};

use super::{
    batch::Origin,
    splitter::{Line, Splitter},
    tail::Tail,
};

/// Where lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file, by its path.
    File(PathBuf),
    /// Standard input, to its end. It has no checkpoint.
    Stdin,
}

/// Chunks of standard input that wait.
const CHUNKS: usize = 16;

#[derive(Debug)]
pub(crate) enum Lines {
    File { path: PathBuf, tail: Box<Tail> },
    Stdin { chunks: Receiver<io::Result<Vec<u8>>>, splitter: Splitter, is_done: bool },
}

/// An input with what its records are to carry.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) origin: Origin,
    pub(crate) lines: Lines,
}

impl Lines {
    pub(crate) fn stdin() -> Self {
        let (sender, chunks) = sync_channel(CHUNKS);
        // Owned by nobody on purpose: a read of standard input can't be ended, only the process can.
        thread::spawn(move || {
            let mut input = io::stdin().lock();
            loop {
                let mut chunk = vec![0; 64 << 10];
                let read = match input.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(n) => {
                        chunk.truncate(n);
                        Ok(chunk)
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let is_last = read.is_err();
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        Self::Stdin { chunks, splitter: Splitter::default(), is_done: false }
    }

    /// Hands out the lines that are there, until `is_full` says so. Says whether there was anything.
    pub(crate) fn read(
        &mut self,
        mut emit: impl FnMut(Line<'_>),
        is_full: impl Fn() -> bool,
    ) -> io::Result<bool> {
        match self {
            Self::File { tail, .. } => tail.read(emit, is_full),
            Self::Stdin { chunks, splitter, is_done } => {
                let mut any = false;
                while !is_full() && !*is_done {
                    match chunks.try_recv() {
                        Ok(chunk) => {
                            any = true;
                            splitter.feed(&chunk?, &mut emit);
                        }
                        Err(TryRecvError::Empty) => break,
                        Err(TryRecvError::Disconnected) => {
                            splitter.flush(&mut emit);
                            *is_done = true;
                        }
                    }
                }
                Ok(any)
            }
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::File { tail, .. } => tail.is_done(),
            Self::Stdin { is_done, .. } => *is_done,
        }
    }
}
