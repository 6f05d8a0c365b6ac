//! The simulated shop with a failure coming: what makes incidents.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use foreshock_demo::{DriveOptions, Fault, Shop, ShopOptions, Speed, drive, wall_clock};
use foreshock_detect::Clock;
use foreshock_shipper::{ClientOptions, OtlpClient};

/// It is open so long; its fault begins after half of it.
const LENGTH: Duration = Duration::from_secs(7200);

/// How it is opened.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    /// Where its telemetry goes.
    pub(super) to: String,
    /// What it sells.
    pub(super) seed: u64,
    /// With `Event` its whole time goes by within `within`; with `Live` it takes its time.
    pub(super) clock: Clock,
    pub(super) within: Duration,
    /// When its fault begins on the live clock.
    pub(super) live_fault_after: Duration,
}

impl Opening {
    /// Opens it until it closes. Says on the event clock what time it is there.
    pub(super) async fn run(self, time: Arc<AtomicU64>) -> anyhow::Result<()> {
        let is_event = self.clock == Clock::Event;
        let speed = match self.clock {
            Clock::Live => Speed::Times(1.0),
            Clock::Event => Speed::Times(LENGTH.as_secs_f64() / self.within.as_secs_f64()),
        };
        let mut shop_options = ShopOptions::new(speed.start_at(wall_clock(), LENGTH));
        shop_options.step = speed.step();
        shop_options.fault = Some(Fault::BadRelease);
        if !is_event {
            shop_options.fault_after = self.live_fault_after;
        }
        let mut shop = Shop::new(self.seed, shop_options);
        let mut client = ClientOptions::new(self.to);
        client.deadline = Duration::from_secs(15);
        client.retry.initial = Duration::from_millis(20);
        client.retry.max = Duration::from_millis(500);
        let client = OtlpClient::new(&client)?;
        if is_event {
            time.store(shop.now().nanos(), Relaxed);
        }
        drive(&mut shop, &client, DriveOptions { speed, length: LENGTH }, |progress| {
            if is_event {
                time.store(progress.simulated.nanos(), Relaxed);
            }
        })
        .await?;
        Ok(())
    }
}
