//! What a tenant may have in one partition: its share of what it may have in all.
//!
//! A tenant's services are spread over the partitions of the summaries stream by their hash, and no partition knows
//! what the others hold. So each holds an equal share: the whole can never be above the quota, at the price that a
//! tenant with few services may reach a share before the quota is full.

use std::collections::BTreeMap;

use foreshock_model::{ServiceName, Tenant};

use super::{ServiceKey, service::ServiceState};
use crate::DetectConfig;

/// The shares of one of `of` partitions.
#[derive(Clone, Copy)]
pub(super) struct Shares<'a> {
    pub(super) config: &'a DetectConfig,
    pub(super) partition: u16,
    pub(super) of: u16,
}

impl Shares<'_> {
    /// Metric series a tenant may have here; no limit where it has no quota.
    pub(super) fn series(self, tenant: &Tenant) -> usize {
        let quota = self.config.quotas.get(tenant).and_then(|quota| quota.series);
        quota.map_or(usize::MAX, |most| self.share(most))
    }

    /// How many more log patterns a tenant may have here; no limit where it has no quota.
    pub(super) fn room_for_patterns(
        self,
        tenant: &Tenant,
        services: &BTreeMap<ServiceKey, ServiceState>,
    ) -> usize {
        let quota = self.config.quotas.get(tenant).and_then(|quota| quota.patterns);
        let Some(most) = quota else { return usize::MAX };
        let from_first = services.range((tenant.clone(), ServiceName::from(""))..);
        let own = from_first.take_while(|((owner, _), _)| owner == tenant);
        self.share(most).saturating_sub(own.map(|(_, service)| service.pattern_count()).sum())
    }

    /// The shares of all partitions add up to the whole.
    fn share(self, most: u64) -> usize {
        let of = u64::from(self.of.max(1));
        let share = most / of + u64::from(u64::from(self.partition) < most % of);
        usize::try_from(share).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quota;

    #[test]
    fn the_shares_of_all_partitions_are_the_quota_and_who_has_none_has_no_limit() {
        let tenant = Tenant::new("acme").expect("a name");
        for (most, of) in [(0, 1), (3, 4), (4, 4), (1_003, 64), (7, 1)] {
            let quotas = BTreeMap::from([(tenant.clone(), Quota { series: Some(most), patterns: None })]);
            let config = DetectConfig { quotas, ..DetectConfig::default() };
            let shares: Vec<usize> =
                (0..of).map(|partition| Shares { config: &config, partition, of }.series(&tenant)).collect();
            assert_eq!(shares.iter().sum::<usize>() as u64, most);
            assert!(shares[0] - shares[usize::from(of) - 1] <= 1, "{shares:?}");
            let one = Shares { config: &config, partition: 0, of };
            assert_eq!(one.room_for_patterns(&tenant, &BTreeMap::new()), usize::MAX);
            assert_eq!(one.series(&Tenant::default()), usize::MAX);
        }
    }
}
