//! What single lines were read as, for who looks at lines and not at windows: a scan. The stages keep counts only.

use foreshock_model::{ServiceName, Tenant, Timestamp};

use super::{AnyFold, Reduce};

/// What one log record was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRead {
    /// The number of its shape in the partition; of a line that continues an event, that of the event.
    pub shape: u32,
    /// The time that places it.
    pub time: Timestamp,
    /// OTLP severity number; 0 where none was found.
    pub severity: u8,
    /// It belongs to the event that a line before it began, as the lines of a stack trace do.
    pub continues: bool,
}

impl Reduce {
    /// From now on notes what each log record is read as, until it is taken.
    pub fn note_lines(&mut self) {
        if let AnyFold::Logs(logs) = &mut self.state.fold {
            logs.told.get_or_insert_default();
        }
    }

    /// Moves what was noted to the end of `to`.
    pub fn take_lines(&mut self, to: &mut Vec<LineRead>) {
        if let AnyFold::Logs(logs) = &mut self.state.fold
            && let Some(told) = &mut logs.told
        {
            to.append(told);
        }
    }

    /// Whose the shape of a [`LineRead`] is, and its hash, as the stage detect knows it.
    pub fn shape(&self, shape: u32) -> Option<(&Tenant, &ServiceName, u64)> {
        let AnyFold::Logs(logs) = &self.state.fold else { return None };
        let (service, hash) = logs.shape(shape)?;
        let service = self.state.core.sources.get_service(service);
        Some((&service.tenant, &service.name, hash))
    }
}
