//! What may change while the receiver runs: whose tokens are known, what they may send, what a record may be.

use std::sync::Arc;

use foreshock_otlp::CheckLimits;

use crate::{IngestConfig, IngestError, TenantsConfig, receiver::Receiver, tenants::Tenants};

/// One set of rules. A request is judged by one set from its first header to its answer.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) tenants: Tenants,
    pub(crate) check_limits: CheckLimits,
    pub(crate) max_request_bytes: u64,
}

impl Rules {
    /// Reads the tokens from where the configuration says they are. Tenants whose quotas are as `before` keep what
    /// they have used of them.
    pub(crate) fn load(
        config: &IngestConfig,
        tenants: &TenantsConfig,
        before: Option<&Self>,
    ) -> Result<Self, Vec<IngestError>> {
        Ok(Self {
            tenants: Tenants::load(tenants, before.map(|rules| &rules.tenants))?,
            check_limits: config.limits.check_limits(),
            max_request_bytes: config.limits.max_request_bytes,
        })
    }
}

/// Changes the rules of a receiver while it runs.
#[derive(Clone)]
pub struct Reload {
    pub(crate) receiver: Arc<Receiver>,
}

/// Rules that were read and found good, and are not in force.
pub struct NewRules(Rules);

impl Reload {
    /// Reads `[tenants]` with its files, and `[ingest.limits]`; of `[ingest]` nothing else can change. Everything
    /// that is wrong is told, and nothing has changed yet.
    pub fn prepare(
        &self,
        config: &IngestConfig,
        tenants: &TenantsConfig,
    ) -> Result<NewRules, Vec<IngestError>> {
        let mut problems = config.problems();
        match Rules::load(config, tenants, Some(&self.receiver.rules())) {
            Ok(rules) if problems.is_empty() => return Ok(NewRules(rules)),
            Ok(_) => {}
            Err(more) => problems.extend(more),
        }
        Err(problems)
    }

    /// From now on requests are judged by these. Those under way keep to the ones they came in by.
    pub fn apply(&self, rules: NewRules) {
        self.receiver.replace_rules(rules.0);
    }
}
