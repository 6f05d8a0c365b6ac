//! What each route still has to be told: for each incident the newest revision that was read and, for each route,
//! the newest that was settled (delivered or given up). What lies between is the outbox; nothing else is queued, so
//! that a later revision takes the place of an undelivered earlier one and none can overtake another.
//!
//! Pure: reads no clock, no socket and no journal.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use foreshock_journal::Offset;
use foreshock_model::{Id, Incident, IncidentStatus, Timestamp, proto};
use tokio::time::Instant;

use crate::{
    alertmanager::{Identity, Severities},
    backoff,
    client::Outcome,
    config::{Retry, Route},
};

/// A revision of an incident as it was read.
#[derive(Debug)]
pub(crate) struct News {
    /// Partition of the incidents stream.
    pub(crate) partition: u16,
    /// Where it lies there.
    pub(crate) offset: Offset,
    /// When it was appended.
    pub(crate) received: Timestamp,
    /// What it says.
    pub(crate) incident: Incident,
    /// It lies before the committed offset: every route was told, or needed not to be.
    pub(crate) settled: bool,
}

/// What the deliveries stream says of one incident and route.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// The oldest revision that was neither delivered nor given up, nor was one after it. Revisions begin at 0.
    pub(crate) untold_from: u64,
    /// Failures in a row since then.
    pub(crate) failures: u32,
    /// The first of them.
    pub(crate) failing_since: Option<Timestamp>,
}

/// One request to be made. Has to come back by [`Outbox::finish`].
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) route: usize,
    /// Partition of the incidents stream it came from.
    pub(crate) partition: u16,
    pub(crate) incident: Arc<Incident>,
    pub(crate) identity: Arc<Identity>,
    /// Severities that the route was told of and that hold no more.
    pub(crate) ended: Severities,
    told: Severities,
}

impl Job {
    /// An incident that no outbox knows.
    pub(crate) fn once(incident: Incident) -> Self {
        Self {
            route: 0,
            partition: 0,
            identity: Arc::new(Identity::of(&incident)),
            incident: Arc::new(incident),
            ended: Severities::default(),
            told: Severities::default(),
        }
    }
}

/// The outbox of all partitions.
#[derive(Debug)]
pub(crate) struct Outbox {
    routes: Vec<Queue>,
    retry: Retry,
    in_flight: usize,
    limit: usize,
    incidents: HashMap<Id, Tracked>,
    /// Oldest entry of each incident that some route has still to be told of.
    unsettled: BTreeSet<(u16, Offset, Id)>,
    known: HashMap<(Id, usize), Known>,
}

#[derive(Debug)]
struct Queue {
    rule: Route,
    refresh: Option<Duration>,
    in_flight: usize,
    due: BTreeSet<(Instant, Id)>,
}

#[derive(Debug)]
struct Tracked {
    incident: Arc<Incident>,
    identity: Arc<Identity>,
    partition: u16,
    /// Oldest entry that some route has still to be told of, and when it was appended.
    since: Option<(Offset, Timestamp)>,
    routes: Vec<Told>,
}

/// One route's side of one incident.
#[derive(Clone, Debug, Default)]
struct Told {
    /// The route wanted some revision of it, and so gets all that follow.
    engaged: bool,
    known: Known,
    in_flight: bool,
    due: Option<Instant>,
    severities: Severities,
    ended: Severities,
}

impl Outbox {
    /// Empty. `refresh` of a route: how often it is told again of what goes on.
    pub(crate) fn new(
        routes: Vec<(Route, Option<Duration>)>,
        retry: Retry,
        in_flight: usize,
        limit: usize,
    ) -> Self {
        let queue = |(rule, refresh)| Queue { rule, refresh, in_flight: 0, due: BTreeSet::new() };
        Self {
            routes: routes.into_iter().map(queue).collect(),
            retry,
            in_flight,
            limit,
            incidents: HashMap::new(),
            unsettled: BTreeSet::new(),
            known: HashMap::new(),
        }
    }

    /// What an earlier run settled; consulted once for each incident, when it is read.
    pub(crate) fn remember(&mut self, known: HashMap<(Id, usize), Known>) {
        self.known = known;
    }

    /// Everything the earlier run wrote was read.
    pub(crate) fn forget_known(&mut self) {
        self.known = HashMap::new();
    }

    /// Takes in a revision. One that is not newer than what is known of its incident changes nothing.
    /// Returns how many settled incidents had to be let go.
    pub(crate) fn fold(&mut self, news: News, now: Instant) -> usize {
        let News { partition, offset, received, incident, settled } = news;
        let id = incident.id;
        let mut evicted = 0;
        if let Some(tracked) = self.incidents.get_mut(&id) {
            if incident.revision <= tracked.incident.revision {
                return 0;
            }
            tracked.incident = Arc::new(incident);
        } else {
            evicted = self.make_room();
            let tracked = Tracked {
                identity: Arc::new(Identity::of(&incident)),
                incident: Arc::new(incident),
                partition,
                since: None,
                routes: vec![Told::default(); self.routes.len()],
            };
            self.incidents.insert(id, tracked);
        }
        let tracked = self.incidents.get_mut(&id).expect("it was there or was put there");
        let revision = tracked.incident.revision;
        for (index, (queue, told)) in self.routes.iter_mut().zip(&mut tracked.routes).enumerate() {
            told.engaged |= queue.rule.wants(&tracked.incident);
            if !told.engaged {
                continue;
            }
            told.severities.insert(tracked.incident.severity);
            if let Some(known) = self.known.remove(&(id, index)) {
                told.known = known;
            }
            if settled {
                told.known.untold_from = told.known.untold_from.max(revision.saturating_add(1));
            }
            // A failed attempt keeps its place in the schedule: newer news is no reason to press harder.
            let open = tracked.incident.status != IncidentStatus::Resolved;
            let wanted = told.known.untold_from <= revision || (queue.refresh.is_some() && open);
            if told.known.failures == 0 || told.due.is_none() {
                queue.schedule(id, told, wanted.then_some(now));
            }
        }
        tracked.since = tracked.since.or(Some((offset, received)));
        self.unsettled.insert((partition, tracked.since.map_or(offset, |(since, _)| since), id));
        self.settle(id);
        evicted
    }

    /// The next request whose time has come, if a route has room for it.
    pub(crate) fn next_job(&mut self, now: Instant) -> Option<Job> {
        for (route, queue) in self.routes.iter_mut().enumerate() {
            if queue.in_flight >= self.in_flight {
                continue;
            }
            let Some((at, id)) = queue.due.first().copied() else { continue };
            if at > now {
                continue;
            }
            queue.due.pop_first();
            let tracked = self.incidents.get_mut(&id).expect("what is due is tracked");
            let told = &mut tracked.routes[route];
            told.due = None;
            told.in_flight = true;
            queue.in_flight += 1;
            let holds = Severities::only(tracked.incident.severity);
            return Some(Job {
                route,
                partition: tracked.partition,
                incident: tracked.incident.clone(),
                identity: tracked.identity.clone(),
                ended: told.severities.without(told.ended).without(holds),
                told: told.severities.without(holds),
            });
        }
        None
    }

    /// When the next request is due, as far as routes have room.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let free = self.routes.iter().filter(|queue| queue.in_flight < self.in_flight);
        free.filter_map(|queue| queue.due.first().map(|(at, _)| *at)).min()
    }

    /// Takes a job's outcome back, and sets the time of the next request where one is to follow.
    pub(crate) fn finish(&mut self, job: &Job, outcome: Outcome, now: Instant, wall: Timestamp) -> Finished {
        let queue = &mut self.routes[job.route];
        queue.in_flight -= 1;
        let id = job.incident.id;
        let tracked = self.incidents.get_mut(&id).expect("what is in flight is tracked");
        let told = &mut tracked.routes[job.route];
        told.in_flight = false;
        let refresh = job.incident.revision < told.known.untold_from;
        let outcome = match outcome {
            Outcome::Retry { error, .. }
                if !refresh && {
                    let since = *told.known.failing_since.get_or_insert(wall);
                    wall.since(since) >= self.retry.give_up_after
                } =>
            {
                Outcome::GivenUp { error }
            }
            other => other,
        };
        let attempt = told.known.failures.saturating_add(1);
        let waited_since = tracked.since.map(|(_, received)| received);
        let goes_on = |queue: &Queue, incident: &Incident| {
            queue.refresh.filter(|_| incident.status != IncidentStatus::Resolved).map(|every| now + every)
        };
        let due = match &outcome {
            Outcome::Delivered | Outcome::GivenUp { .. } => {
                let untold_from = told.known.untold_from.max(job.incident.revision.saturating_add(1));
                told.known = Known { untold_from, ..Known::default() };
                if outcome == Outcome::Delivered {
                    told.ended = job.told;
                }
                if tracked.incident.revision >= untold_from {
                    Some(now)
                } else {
                    goes_on(queue, &tracked.incident)
                }
            }
            Outcome::Retry { after, .. } => {
                told.known.failures = attempt;
                let wait = backoff::wait(&self.retry, attempt, *after);
                // What is told again and again expires at the receiver: it is not left alone for longer than that.
                let longest = queue.refresh.filter(|_| after.is_none()).unwrap_or(Duration::MAX);
                Some(now + wait.min(longest))
            }
        };
        queue.schedule(id, told, due);
        self.settle(id);
        Finished { refresh, attempt, outcome, waited_since }
    }

    /// Where reading of a partition would have to begin again if all this were lost: its oldest untold entry, or
    /// `position` where there is none.
    pub(crate) fn low_watermark(&self, partition: u16, position: Offset) -> Offset {
        let mut from = self.unsettled.range((partition, Offset(0), Id(0))..);
        match from.next() {
            Some((owner, offset, _)) if *owner == partition => *offset,
            _ => position,
        }
    }

    /// Whether more may be read: below the limit, or some incident could be let go.
    pub(crate) fn has_room(&self) -> bool {
        self.incidents.len() < self.limit || self.unsettled.len() < self.incidents.len()
    }

    /// Incidents held.
    pub(crate) fn len(&self) -> usize {
        self.incidents.len()
    }

    /// Incidents that a route has still to be told of and that are not under way.
    pub(crate) fn queued(&self, route: usize) -> usize {
        self.routes[route].due.len()
    }

    fn make_room(&mut self) -> usize {
        if self.incidents.len() < self.limit {
            return 0;
        }
        let idle =
            |tracked: &Tracked| tracked.since.is_none() && tracked.routes.iter().all(|told| !told.in_flight);
        let oldest = self
            .incidents
            .iter()
            .filter(|(_, tracked)| idle(tracked))
            .min_by_key(|(id, tracked)| (tracked.incident.updated_at, **id))
            .map(|(id, _)| *id);
        oldest.map_or(0, |id| {
            self.remove(id);
            1
        })
    }

    /// Notes where an incident is settled for every route, and lets it go if it is over as well.
    fn settle(&mut self, id: Id) {
        let Some(tracked) = self.incidents.get_mut(&id) else { return };
        let revision = tracked.incident.revision;
        if tracked.routes.iter().any(|told| told.engaged && told.known.untold_from <= revision) {
            return;
        }
        if let Some((since, _)) = tracked.since.take() {
            self.unsettled.remove(&(tracked.partition, since, id));
        }
        let over = tracked.incident.status == IncidentStatus::Resolved;
        if over && tracked.routes.iter().all(|told| !told.in_flight) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: Id) {
        let Some(mut tracked) = self.incidents.remove(&id) else { return };
        for (queue, told) in self.routes.iter_mut().zip(&mut tracked.routes) {
            queue.schedule(id, told, None);
        }
    }
}

/// What became of a job.
#[derive(Debug)]
pub(crate) struct Finished {
    /// It told again what the route knew.
    pub(crate) refresh: bool,
    /// Which attempt it was, from 1.
    pub(crate) attempt: u32,
    /// The outcome; a failure that went on for too long is given up.
    pub(crate) outcome: Outcome,
    /// When the oldest entry that it told of was appended.
    pub(crate) waited_since: Option<Timestamp>,
}

impl Finished {
    /// As the deliveries stream has it.
    pub(crate) fn record(&self, job: &Job, route: &str, receiver: &str, wall: Timestamp) -> proto::Delivery {
        let (outcome, error) = match &self.outcome {
            Outcome::Delivered => (proto::delivery::Outcome::Delivered, ""),
            Outcome::Retry { error, .. } => (proto::delivery::Outcome::Retry, error.as_str()),
            Outcome::GivenUp { error } => (proto::delivery::Outcome::GivenUp, error.as_str()),
        };
        proto::Delivery {
            incident: job.incident.id.to_string(),
            revision: job.incident.revision,
            route: route.to_owned(),
            receiver: receiver.to_owned(),
            at: wall.nanos(),
            attempt: self.attempt,
            outcome: outcome.into(),
            error: error.to_owned(),
        }
    }
}

impl Queue {
    /// Sets, moves or (with `None`) takes away the time of the next request; one under way keeps its place.
    fn schedule(&mut self, id: Id, told: &mut Told, at: Option<Instant>) {
        if let Some(old) = told.due.take() {
            self.due.remove(&(old, id));
        }
        if told.in_flight {
            return;
        }
        if let Some(at) = at {
            told.due = Some(at);
            self.due.insert((at, id));
        }
    }
}
