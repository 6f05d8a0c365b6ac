//! `foreshock topics` on a real cluster.

use foreshock_journal::kafka::topics::{Plan, Topics, Wanted};
use foreshock_kafka_testing::Kafka;

use crate::cluster::{apply, options, runtime, wanted};

#[test]
fn applied_twice_it_does_nothing_and_it_never_takes_anything_away() {
    let options = options(&Kafka::shared().bootstrap());
    runtime().block_on(async {
        let topics = Topics::new(&options).unwrap();
        assert_eq!(topics.plan(&wanted()).await.unwrap().steps.len(), 10);
        apply(&options, &wanted()).await;
        assert_eq!(topics.plan(&wanted()).await.unwrap(), Plan::default());

        let other = Wanted { telemetry_partitions: 3, stages_age: wanted().stages_age / 2, ..wanted() };
        let plan = topics.plan(&other).await.unwrap();
        assert!(plan.refused.is_empty() && !plan.steps.is_empty(), "{plan:?}");
        apply(&options, &other).await;
        assert_eq!(topics.plan(&other).await.unwrap(), Plan::default());

        let fewer = topics.plan(&wanted()).await.unwrap();
        assert_eq!(fewer.refused.len(), 3, "{fewer:?}");
        let cut = topics.plan(&Wanted { stage_partitions: 5, ..other }).await.unwrap();
        assert_eq!(cut.refused.len(), 4, "{cut:?}");
    });
}
