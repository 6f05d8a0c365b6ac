//! What a session's events usually are: how often each comes in one session, and which follows which.
//!
//! Knows nothing of keys, times or texts: the caller numbers the events and says when a session has ended.
//!
//! A session is judged event by event. How rare its count of an event is, is a conformal p-value with rarity as the
//! measure (Vovk, Gammerman and Shafer 2005): the share of earlier sessions whose count of the event is as rare or rarer.
//! It needs no distribution, holds for sessions that are exchangeable, and a count that always varies surprises nobody.
//! Orders are judged together, by how many of a session's are rare: the share of sessions of late that had as many, each
//! judged before it taught. Events that run side by side come in ever new orders, and so surprise nobody.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Tail;

/// Number of an event.
pub type Event = u16;

/// Stands before the first event of a session.
const BEGIN: Event = Event::MAX;
/// Stands behind the last one.
const END: Event = Event::MAX - 1;
/// Events told apart; the caller gives those beyond one number.
pub const MAX_EVENTS: usize = 1024;
/// Different orders of two events kept of one session, and of all.
const SESSION_ORDERS: usize = 64;
const ORDERS: usize = 16_384;
/// Counts below this are told apart one by one, others by quarters of an octave.
const EXACT: u32 = 16;
/// An event is one that every session has from this share of them on.
const ALWAYS: f64 = 0.98;
/// An order of two events is rare while fewer than one in so many sessions had it.
const RARE: u32 = 200;
/// Rare orders of a session that are counted one by one.
const ODD_ORDERS: usize = 8;
/// How often rare orders come, is counted since a power of two of sessions, the last but one; up to this many.
const LONGEST_SPAN: u32 = 4_096;

/// The events of one session so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// By event.
    counts: Vec<(Event, u32)>,
    /// Which event came right behind which, sorted.
    orders: Vec<(Event, Event)>,
    last: Option<Event>,
}

impl Session {
    /// Adds the next event.
    pub fn push(&mut self, event: Event) {
        match self.counts.binary_search_by_key(&event, |(known, _)| *known) {
            Ok(at) => self.counts[at].1 = self.counts[at].1.saturating_add(1),
            Err(at) => self.counts.insert(at, (event, 1)),
        }
        let order = (self.last.unwrap_or(BEGIN), event);
        self.last = Some(event);
        if let Err(at) = self.orders.binary_search(&order)
            && self.orders.len() < SESSION_ORDERS
        {
            self.orders.insert(at, order);
        }
    }

    /// The event that came last.
    pub fn last(&self) -> Option<Event> {
        self.last
    }

    /// Events so far.
    pub fn len(&self) -> u64 {
        self.counts.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Which events it has.
    pub fn events(&self) -> impl Iterator<Item = Event> {
        self.counts.iter().map(|(event, _)| *event)
    }

    /// Whether it has an event.
    pub fn has(&self, event: Event) -> bool {
        self.count(event) > 0
    }

    fn count(&self, event: Event) -> u32 {
        self.counts.binary_search_by_key(&event, |(known, _)| *known).map_or(0, |at| self.counts[at].1)
    }

    /// Its orders, with the end as well.
    fn ended_orders(&self) -> impl Iterator<Item = (Event, Event)> {
        let end = self.last.map(|last| (last, END));
        self.orders.iter().copied().chain(end)
    }
}

/// What is odd about a session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Oddity {
    /// What it is.
    pub what: What,
    /// How unlikely.
    pub tail: Tail,
    /// No session before was like that.
    pub never: bool,
    /// Sessions before that were like that in this one thing.
    pub like: u32,
}

/// The ways in which a session can be odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// An event that hardly any session has, or not so often: how often it came, and how often it mostly does.
    Count {
        /// Which event.
        event: Event,
        /// How often it came.
        count: u32,
        /// How often it comes in most sessions.
        usual: u32,
    },
    /// An event that nearly every session has did not come.
    Missing {
        /// Which event.
        event: Event,
    },
    /// One event right behind another, as hardly ever before.
    Order {
        /// The first of them; `None`: it began the session.
        before: Option<Event>,
        /// What came behind it; `None`: nothing, the session ended.
        after: Option<Event>,
    },
}

/// How many sessions had so many of one event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Counts {
    /// By bucket of the count, from 1 on.
    buckets: Vec<(u8, u32)>,
    /// The sum over them.
    with: u32,
}

impl Counts {
    fn of(&self, bucket: u8) -> u32 {
        self.buckets.binary_search_by_key(&bucket, |(known, _)| *known).map_or(0, |at| self.buckets[at].1)
    }

    fn add(&mut self, bucket: u8) {
        self.with += 1;
        match self.buckets.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(at) => self.buckets[at].1 += 1,
            Err(at) => self.buckets.insert(at, (bucket, 1)),
        }
    }

    fn take(&mut self, bucket: u8) {
        if let Ok(at) = self.buckets.binary_search_by_key(&bucket, |(known, _)| *known) {
            self.with = self.with.saturating_sub(1);
            self.buckets[at].1 -= 1;
            if self.buckets[at].1 == 0 {
                self.buckets.remove(at);
            }
        }
    }

    /// Sessions whose count is as rare as `bucket`'s or rarer, that of the session in question among them; `without` of
    /// them have none. So a count never seen is as rare as those seen once (as Good and Turing have it).
    fn as_rare(&self, bucket: u8, without: u32) -> u32 {
        let seen = if bucket == 0 { without } else { self.of(bucket) } + 1;
        let rare = self.buckets.iter().map(|(_, n)| *n).filter(|n| *n <= seen).sum::<u32>();
        rare + if without <= seen { without } else { 0 }
    }

    fn at_least(&self, bucket: u8) -> u32 {
        self.buckets.iter().filter(|(known, _)| *known >= bucket).map(|(_, n)| *n).sum()
    }

    /// The commonest count, `without` sessions having none.
    fn usual(&self, without: u32) -> u32 {
        let most = self.buckets.iter().max_by_key(|(bucket, n)| (*n, std::cmp::Reverse(*bucket)));
        most.filter(|(_, n)| *n > without).map_or(0, |(bucket, _)| least_of(*bucket))
    }
}

/// Learned from ended sessions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionModel {
    sessions: u32,
    of_one_step: u32,
    /// By event.
    events: Vec<Counts>,
    /// How many sessions had each order of two events.
    #[serde(with = "as_pairs")]
    orders: BTreeMap<(Event, Event), u32>,
    /// Of the span before the present one, and of the present one.
    before: Span,
    present: Span,
}

/// A map whose keys are no text, as a list of pairs: JSON has no other form for it.
mod as_pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Ok(Vec::<(K, V)>::deserialize(from)?.into_iter().collect())
    }
}

/// Sessions by how many rare orders they had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Span {
    sessions: u32,
    odd: [u32; ODD_ORDERS],
}

impl Span {
    fn at_least(&self, odd: usize) -> u32 {
        self.odd[odd.min(ODD_ORDERS - 1)..].iter().sum()
    }
}

impl SessionModel {
    /// Sessions that taught.
    pub fn sessions(&self) -> u32 {
        self.sessions
    }

    /// Those of them that had one step only.
    pub fn sessions_of_one_step(&self) -> u32 {
        self.of_one_step
    }

    /// Sessions that had an event.
    pub fn with(&self, event: Event) -> u32 {
        self.events.get(usize::from(event)).map_or(0, |counts| counts.with)
    }

    /// Whether an event that was just pushed could make the session odd before its end. Cheap: asked for each.
    pub fn could_be_odd(&self, session: &Session, before: Option<Event>) -> bool {
        let Some(event) = session.last else { return false };
        let bucket = bucket(session.count(event));
        let known = self.events.get(usize::from(event));
        let few = |counts: &Counts| u64::from(counts.at_least(bucket)) * 100 <= u64::from(self.sessions);
        let seldom = known.is_none_or(few);
        seldom || !self.orders.contains_key(&(before.unwrap_or(BEGIN), event))
    }

    /// What is odd about a session, the oddest first. Of one that has not `ended` only what more events can't mend.
    pub fn judge(&self, session: &Session, ended: bool) -> Vec<Oddity> {
        let mut oddities = Vec::new();
        let all = f64::from(self.sessions) + 1.0;
        for (event, count) in &session.counts {
            let bucket = bucket(*count);
            let (rare, at_least, seen, without, usual) = match self.events.get(usize::from(*event)) {
                Some(counts) => {
                    let without = self.sessions - counts.with.min(self.sessions);
                    let rare = counts.as_rare(bucket, without);
                    (rare, counts.at_least(bucket), counts.of(bucket), without, counts.usual(without))
                }
                None => (0, 0, 0, self.sessions, 0),
            };
            let rare = if ended { rare } else { rare.max(at_least) };
            let tail = Tail::from_p((f64::from(rare) + 1.0) / all);
            let what = What::Count { event: *event, count: *count, usual };
            let never = seen == 0 && (without > 0 || ended);
            oddities.push(Oddity { what, tail, never, like: seen });
        }
        if ended {
            self.judge_missing(session, &mut oddities);
        }
        self.judge_orders(session, ended, &mut oddities);
        oddities.sort_by(|a, b| b.tail.surprise().total_cmp(&a.tail.surprise()).then(a.what.cmp(&b.what)));
        oddities
    }

    fn judge_missing(&self, session: &Session, oddities: &mut Vec<Oddity>) {
        let all = f64::from(self.sessions);
        for (event, counts) in self.events.iter().enumerate() {
            let Ok(event) = Event::try_from(event) else { break };
            if f64::from(counts.with) < ALWAYS * all || session.count(event) > 0 {
                continue;
            }
            let without = self.sessions - counts.with.min(self.sessions);
            let tail = Tail::from_p((f64::from(counts.as_rare(0, without)) + 1.0) / (all + 1.0));
            let what = What::Missing { event };
            oddities.push(Oddity { what, tail, never: without == 0, like: without });
        }
    }

    fn judge_orders(&self, session: &Session, ended: bool, oddities: &mut Vec<Oddity>) {
        let end = session.last.filter(|_| ended).map(|last| (last, END));
        let orders = session.orders.iter().copied().chain(end);
        // Of several the rarest, and of those the one between the commonest events, says most.
        let weight = |(a, b): &(Event, Event)| {
            let seen = self.orders.get(&(*a, *b)).copied().unwrap_or(0);
            (std::cmp::Reverse(seen), self.with(*a).min(self.with(*b)), std::cmp::Reverse((*a, *b)))
        };
        let rare = orders.filter(|order| self.is_rare(order));
        let (odd, rarest) = rare.fold((0, None), |(odd, rarest), order| {
            (odd + 1, rarest.into_iter().chain([order]).max_by_key(weight))
        });
        let Some((before, after)) = rarest else { return };
        let as_odd = f64::from(self.before.at_least(odd) + self.present.at_least(odd));
        let of_late = f64::from(self.before.sessions + self.present.sessions);
        let tail = Tail::from_p((as_odd + 1.0) / (of_late + 2.0));
        let named = |event: Event| (event < END).then_some(event);
        let what = What::Order { before: named(before), after: named(after) };
        let like = self.orders.get(&(before, after)).copied().unwrap_or(0);
        oddities.push(Oddity { what, tail, never: like == 0, like });
    }

    fn is_rare(&self, order: &(Event, Event)) -> bool {
        self.orders.get(order).is_none_or(|seen| seen.saturating_mul(RARE) <= self.sessions)
    }

    /// Learns an ended session. That a `broken` one has its steps in another order says nothing of sound ones, and one
    /// that was learned before and taken back (`again`) counts once among those of late.
    pub fn learn(&mut self, session: &Session, broken: bool, again: bool) {
        self.sessions = self.sessions.saturating_add(1);
        self.of_one_step += u32::from(session.len() == 1);
        for (event, count) in &session.counts {
            let event = usize::from(*event);
            if self.events.len() <= event {
                self.events.resize_with(event + 1, Counts::default);
            }
            self.events[event].add(bucket(*count));
        }
        let odd = session.ended_orders().filter(|order| self.is_rare(order)).count();
        for order in session.ended_orders() {
            if self.orders.len() < ORDERS || self.orders.contains_key(&order) {
                *self.orders.entry(order).or_default() += 1;
            }
        }
        if again {
            return;
        }
        self.present.sessions += 1;
        if !broken {
            self.present.odd[odd.min(ODD_ORDERS - 1)] += 1;
        }
        let ends = self.sessions.is_power_of_two() || self.present.sessions >= LONGEST_SPAN;
        if ends {
            self.before = std::mem::take(&mut self.present);
        }
    }

    /// Takes back a session that was learned and turned out not to have ended.
    pub fn unlearn(&mut self, session: &Session) {
        self.sessions = self.sessions.saturating_sub(1);
        self.of_one_step = self.of_one_step.saturating_sub(u32::from(session.len() == 1));
        for (event, count) in &session.counts {
            if let Some(counts) = self.events.get_mut(usize::from(*event)) {
                counts.take(bucket(*count));
            }
        }
        for order in session.ended_orders() {
            if let Some(count) = self.orders.get_mut(&order) {
                *count -= 1;
                if *count == 0 {
                    self.orders.remove(&order);
                }
            }
        }
    }
}

/// Counts by how far they are told apart.
fn bucket(count: u32) -> u8 {
    if count < EXACT {
        return count as u8;
    }
    let octave = count.ilog2();
    let quarter = (count >> (octave - 2)) & 3;
    (EXACT + (octave - EXACT.ilog2()) * 4 + quarter) as u8
}

/// The least count of a bucket.
fn least_of(bucket: u8) -> u32 {
    let bucket = u32::from(bucket);
    if bucket < EXACT {
        return bucket;
    }
    let above = bucket - EXACT;
    let octave = above / 4 + EXACT.ilog2();
    (4 + above % 4) << (octave - 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(events: &[Event]) -> Session {
        let mut session = Session::default();
        events.iter().for_each(|event| session.push(*event));
        session
    }

    fn taught(sessions: &[(&[Event], u32)]) -> SessionModel {
        let mut model = SessionModel::default();
        for (events, times) in sessions {
            (0..*times).for_each(|_| model.learn(&session(events), false, false));
        }
        model
    }

    fn oddest(model: &SessionModel, events: &[Event]) -> Option<Oddity> {
        model.judge(&session(events), true).first().copied()
    }

    #[test]
    fn a_missing_step_a_repeated_one_and_another_order_are_odd_and_the_usual_is_not() {
        let model = taught(&[(&[0, 1, 2, 3], 999)]);
        let usual = model.judge(&session(&[0, 1, 2, 3]), true);
        assert!(usual.iter().all(|oddity| oddity.tail.surprise() < 0.01 && !oddity.never), "{usual:?}");
        for (events, what) in [
            (&[0, 1, 3][..], What::Missing { event: 2 }),
            (&[0, 1, 2, 2, 2, 3], What::Count { event: 2, count: 3, usual: 1 }),
            (&[0, 1, 2, 3, 9], What::Count { event: 9, count: 1, usual: 0 }),
        ] {
            let oddity = oddest(&model, events).expect("odd");
            assert_eq!((oddity.what, oddity.never), (what, true));
            assert!((oddity.tail.surprise() - 3.0).abs() < 0.01, "{oddity:?}");
        }
        let swapped = model.judge(&session(&[0, 2, 1, 3]), true);
        let order = swapped.iter().find(|oddity| oddity.never).expect("odd");
        assert_eq!(order.what, What::Order { before: Some(0), after: Some(2) });
        assert!(order.tail.surprise() > 2.4, "{order:?}");
    }

    #[test]
    fn before_its_end_a_session_is_odd_only_by_what_it_can_not_mend() {
        let model = taught(&[(&[0, 1, 1, 1, 2], 500)]);
        let odd = |events: &[Event]| model.judge(&session(events), false)[0].tail.surprise() > 2.0;
        assert!(!odd(&[0]) && !odd(&[0, 1]) && !odd(&[0, 1, 1, 1]));
        assert!(odd(&[0, 1, 1, 1, 1]) && odd(&[0, 2]) && odd(&[0, 1, 7]));
        assert!(model.could_be_odd(&session(&[0, 1, 1, 1, 1]), Some(1)));
        assert!(!model.could_be_odd(&session(&[0, 1, 1]), Some(1)));
    }

    #[test]
    fn a_count_that_varies_and_orders_that_are_always_new_surprise_nobody() {
        let mut model = SessionModel::default();
        let events = |i: u32| -> Vec<Event> {
            let mut events = vec![0];
            events.extend((0..i * 37 % 40 + 1).map(|n| 1 + (n * i * i % 23) as Event));
            events
        };
        (1..400).for_each(|i| model.learn(&session(&events(i)), false, false));
        let alarms =
            (400..500).filter(|i| model.judge(&session(&events(*i)), true)[0].tail.surprise() >= 2.5).count();
        assert!(alarms <= 2, "{alarms}");
    }

    #[test]
    fn p_values_of_usual_sessions_come_no_more_often_than_they_say() {
        let (mut model, mut state) = (SessionModel::default(), 9u32);
        let (mut below, mut judged) = (0, 0);
        for i in 0..20_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Geometric: half have one, a quarter two, and so on.
            let repeats = (state >> 8).trailing_zeros() + 1;
            let mut events = vec![0];
            events.extend(std::iter::repeat_n(1, repeats as usize));
            let session = session(&events);
            if i > 1_000 {
                judged += 1;
                below += u32::from(model.judge(&session, true)[0].tail.p() <= 0.01);
            }
            model.learn(&session, false, false);
        }
        assert!(below <= judged / 100 + 60, "{below} of {judged}");
    }

    #[test]
    fn what_is_taken_back_was_never_learned() {
        let mut model = taught(&[(&[0, 1, 2], 10), (&[0, 2], 3)]);
        let mistaken = session(&[0, 2, 2, 5]);
        let known = model.judge(&session(&[0, 2, 1, 5]), true);
        let (orders, of_late) = (model.orders.clone(), (model.before, model.present));
        model.learn(&mistaken, false, true);
        model.unlearn(&mistaken);
        assert_eq!((model.before, model.present), of_late);
        assert_eq!((model.judge(&session(&[0, 2, 1, 5]), true), model.orders), (known, orders));
    }

    #[test]
    fn buckets_keep_their_order_and_their_least_count() {
        let mut last = 0;
        for count in 1..100_000u32 {
            let this = bucket(count);
            assert!(this == last || this == last + 1, "{count}: {this} after {last}");
            assert!(least_of(this) <= count && bucket(least_of(this)) == this, "{count}");
            last = this;
        }
    }
}
