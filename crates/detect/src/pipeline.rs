//! All three stages in one process, without a journal.
