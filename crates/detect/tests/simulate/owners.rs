//! What owners append that moves a stage: ticks, skips, markers; and entries that nobody can read.

use std::time::Duration;

use bytes::Bytes;
use foreshock_detect::{Clock, InputKind, OWN_SERVICE};
use foreshock_model::{BASE_WINDOW, Kind, Tenant, proto};
use prost::Message;

use super::{
    journal::{Entry, Place, Stream},
    machine::Machine,
    world::{Variant, World},
};

impl World<'_> {
    /// A partition is told how far time has come, sometimes by two owners at once, one of them behind.
    pub(super) fn tick_one(&mut self) {
        let places = self.telemetry();
        let place = self.chance.pick(&places);
        let time = match self.setting.config.clock {
            Clock::Live => self.now,
            Clock::Event => {
                let reached = self.owned.values().filter_map(|(_, runner)| runner.machine.latest());
                reached.max().unwrap_or_default()
            }
        };
        if time.nanos() == 0 {
            return;
        }
        self.tick(place, time);
        if self.chance.percent(20) {
            let behind = Duration::from_millis(self.chance.below(20_000));
            self.tick(place, time.minus(behind));
        }
    }

    /// An owner has something to say.
    pub(super) fn speak(&mut self) {
        if self.variant != Variant::Words {
            // A word that this version does not know must do no harm anywhere.
            let places: Vec<Place> = self
                .setting
                .inputs()
                .into_iter()
                .filter(|place| !super::world::is_telemetry(*place))
                .collect();
            let place = self.chance.pick(&places);
            return self.say(place, InputKind::Marker, proto::Marker::default().encode_to_vec());
        }
        match self.chance.below(5) {
            0 => {
                let partition = self.chance.partitions(0, self.setting.summaries - 1);
                let telemetry = self.telemetry();
                let source = self.chance.pick(&telemetry);
                self.skip(Place::new(Stream::Summaries, partition), source);
            }
            1 => {
                let partition = self.chance.partitions(0, self.setting.findings - 1);
                let source = self.chance.partitions(0, self.setting.summaries - 1);
                let source = Place::new(Stream::Summaries, source);
                self.skip(Place::new(Stream::Findings, partition), source);
            }
            2 => {
                let telemetry = self.telemetry();
                let behind = self.chance.pick(&telemetry);
                let lagging = proto::Lagging {
                    stage: Machine::name(behind).into(),
                    stream: behind.stream.name().into(),
                    partition: behind.partition.into(),
                    seconds: self.chance.between(61, 900) as f64,
                    since: self.now.minus(Duration::from_secs(self.chance.below(60))).nanos(),
                };
                let marker = proto::Marker { says: Some(proto::marker::Says::Lagging(lagging)) };
                let partition =
                    foreshock_detect::partition_of_tenant(&Tenant::default(), self.setting.findings);
                self.say(Place::new(Stream::Findings, partition), InputKind::Marker, marker.encode_to_vec());
            }
            3 => {
                let feedback = proto::Feedback {
                    tenant: Tenant::default().to_string(),
                    incident: format!("{:032x}", self.chance.below(5)),
                    verdict: self.chance.between(1, 4) as i32,
                    series: vec![proto::JudgedSeries {
                        service: OWN_SERVICE.to_owned(),
                        series: format!("s{}", self.chance.below(5)),
                        kind: Kind::Spike.to_string(),
                        surprise: self.chance.between(3, 20) as f64,
                        window_seconds: 10,
                        lasted_seconds: self.chance.between(0, 600) as u32,
                        left_seconds: 0,
                    }],
                    ..Default::default()
                };
                let marker = proto::Marker { says: Some(proto::marker::Says::Feedback(feedback)) };
                let partition =
                    foreshock_detect::partition_of_tenant(&Tenant::default(), self.setting.findings);
                self.say(Place::new(Stream::Findings, partition), InputKind::Marker, marker.encode_to_vec());
            }
            _ => {
                let inputs = self.setting.inputs();
                let place = self.chance.pick(&inputs);
                self.say(place, InputKind::Data, vec![0xff, 0xff]);
            }
        }
    }

    /// A partition of reduce that nobody serves holds windows up until it is skipped, and not again.
    pub(super) fn go_on_without_the_abandoned(&mut self) -> Result<(), String> {
        self.drain()?;
        let Some(abandoned) = self.abandoned else { return Ok(()) };
        let detect: Vec<Place> =
            self.setting.inputs().into_iter().filter(|place| place.stream == Stream::Summaries).collect();
        for place in &detect {
            self.skip(*place, abandoned);
        }
        self.drain()?;
        let later = self.now.plus(Duration::from_secs(60));
        for place in self.telemetry() {
            self.tick(place, later);
        }
        self.drain()?;
        let due = later.minus(self.setting.config.lateness()).window(BASE_WINDOW).start;
        let alone = self.telemetry().len() == 1;
        for place in &detect {
            let closed = self.owned.get(place).and_then(|(_, runner)| runner.machine.closed());
            if closed != Some(due) && !alone {
                return Err(format!(
                    "{place:?} stands still at {closed:?}, {due:?} is due: {abandoned:?} was given up"
                ));
            }
        }
        self.abandoned = None;
        Ok(())
    }

    fn skip(&mut self, place: Place, source: Place) {
        let named = proto::Source {
            stage: Machine::name(source).into(),
            stream: source.stream.name().into(),
            partition: source.partition.into(),
            ..Default::default()
        };
        self.say(place, InputKind::Skip, named.encode_to_vec());
    }

    fn say(&mut self, place: Place, kind: InputKind, payload: Vec<u8>) {
        let (tenant, received, payload) = (Tenant::default(), self.now, Bytes::from(payload));
        self.journal.append(place, Entry { tenant, received, kind, payload });
    }
}
