//! Sessions of a service: which steps they take, in which order, and which sessions do not.
//!
//! A session is open until it has been silent for longer than sessions of the service pause. Then it is judged, and
//! teaches. It is remembered as long as there is room; if it goes on after all, what it taught is taken back and the
//! pause is learned. What more steps can't mend is told at once.

mod events;
mod pauses;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use foreshock_model::{Finding, Kind, ServiceName, Severity, Timestamp, Window};
use foreshock_stats::{
    Session, SessionModel, Tail,
    sessions::{Event, Oddity, What},
};
use serde::{Deserialize, Serialize};

use self::{
    events::{Events, Said},
    pauses::Pauses,
};
use super::{
    ServiceKey,
    draft::{Draft, evidence},
    merged::{Example, Steps},
    patterns::shown,
    report::Report,
};
use crate::Folds;

/// Sessions that must have taught before one is judged.
const NEEDED: u32 = 50;
/// A session as unlikely as this is broken.
const BROKEN: f64 = 0.0015;
/// So is one with something never seen, where such is as unlikely as this.
const NEVER: f64 = 1.0 / 300.0;
/// Findings a day that chance alone may bring about in a service, and the largest tail that is told however few
/// sessions there are.
const FALSE_A_DAY: f64 = 8.0;
const LEAST_UNLIKELY: f64 = 0.01;
/// Windows in a day; the share of them with sessions to judge is of the last day, and known from so many on.
const WINDOWS_A_DAY: f64 = 8_640.0;
const WINDOWS_NEEDED: f64 = 360.0;
/// What harms by its nature (a rare step that is a warning or speaks of an error, a step that is missing) counts as so
/// many times less likely than it is.
const HARM: f64 = 10.0;
/// Lines kept of a session, and sessions named in a finding.
const LINES: usize = 3;
const NAMED: usize = 10;
/// A session that ended so long ago does not go on.
const REMEMBERED_FOR: Duration = Duration::from_secs(86_400);
/// Ways of being broken that are told in one window.
const WAYS: usize = 10;
/// A way of being broken that was told is not told again for so long.
const TOLD_FOR: Duration = Duration::from_secs(900);
/// What more than this share of the sessions that are open do is not odd, though none of them has ended yet.
const OPEN_SHARE: f64 = 0.01;
/// So many sessions broken in the same way in one window, and this share of those that were judged, page.
const MANY: u64 = 10;
const LARGE_SHARE: f64 = 0.1;

/// The verdict on one session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionVerdict {
    /// Whose it is.
    pub service: ServiceName,
    /// Its key.
    pub session: String,
    /// From 0 to 1, higher is odder; broken from 0.5 on.
    pub score: f64,
}

/// The sessions of one service.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Sessions {
    model: SessionModel,
    events: Events,
    /// By the hash of the key.
    sessions: BTreeMap<u64, Remembered>,
    /// By the time of the last step: those that have not ended, and those that have.
    open: BTreeSet<(Timestamp, u64)>,
    ended: BTreeSet<(Timestamp, u64)>,
    pauses: Pauses,
    /// Open sessions that have each event.
    open_with: Vec<u32>,
    /// When each way of being broken was told, of late.
    told: BTreeMap<String, Timestamp>,
    /// Windows, and those with sessions to judge, of the last day.
    windows: f64,
    judging_windows: f64,
    met: u64,
    /// Key and score.
    verdicts: Vec<(String, f64)>,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    name: String,
    /// How many sessions there were before it.
    number: u64,
    last: Timestamp,
    steps: Session,
    lines: Vec<Example>,
    /// A step of the present window may be one that nothing mends.
    suspicious: bool,
    told: bool,
    ended: bool,
    taught: bool,
    /// It was taught and taken back.
    taught_before: bool,
}

/// The broken sessions of one window, by the way in which they are broken.
#[derive(Default)]
struct Broken {
    ways: BTreeMap<String, Vec<(u64, Oddity)>>,
    judged: u64,
}

impl Sessions {
    /// Sessions remembered.
    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Every number that a session is held against; of the sessions themselves how many there are.
    pub(super) fn workings(&self) -> serde_json::Value {
        serde_json::json!({
            "events": self.events,
            "model": self.model,
            "open": self.open.len(),
            "ended": self.ended.len(),
            "windows": self.windows,
            "judging_windows": self.judging_windows,
        })
    }

    /// Verdicts since this was last called.
    pub(super) fn take_verdicts(&mut self) -> Vec<(String, f64)> {
        std::mem::take(&mut self.verdicts)
    }

    /// Takes the steps of a window; `room` sessions may be remembered. Returns what there was no room for.
    pub(super) fn take(
        &mut self,
        key: &ServiceKey,
        mut steps: Steps,
        window: Window,
        room: usize,
        report: &mut Report,
    ) -> Folds {
        let mut folded = 0;
        let mut touched = BTreeSet::new();
        self.events.note(&steps);
        for step in steps.in_order() {
            let event = self.events.number(step.event);
            if !self.sessions.contains_key(&step.session) && !self.begin(&steps, step.session, step.at, room)
            {
                folded += 1;
                continue;
            }
            self.step(step.session, event, step.at);
            touched.insert(step.session);
        }
        // Whichever partition they came from.
        steps.lines.sort();
        for (session, line) in steps.lines {
            if let Some(session) = self.sessions.get_mut(&session)
                && session.lines.len() < LINES
            {
                session.lines.push(line);
            }
        }
        let suspicious = |sessions: &BTreeMap<u64, Remembered>, hash: &u64| {
            sessions.get(hash).is_some_and(|session| session.suspicious && !session.told)
        };
        let touched: Vec<u64> = touched.into_iter().filter(|hash| suspicious(&self.sessions, hash)).collect();
        if self.model.sessions() >= NEEDED {
            let mut broken = Broken { judged: touched.len() as u64, ..Broken::default() };
            touched.into_iter().for_each(|hash| self.judge_open(hash, &mut broken));
            self.tell(key, broken, window, report);
        }
        Folds { steps: folded, ..Folds::default() }
    }

    /// Begins a session; the one that ended longest ago makes room for it.
    fn begin(&mut self, steps: &Steps, hash: u64, at: Timestamp, room: usize) -> bool {
        if self.sessions.len() >= room {
            let Some((_, oldest)) = self.ended.pop_first() else { return false };
            self.sessions.remove(&oldest);
        }
        let session = Remembered {
            name: steps.names.get(&hash).cloned().unwrap_or_default(),
            number: self.met,
            last: at,
            steps: Session::default(),
            lines: Vec::new(),
            suspicious: false,
            told: false,
            ended: false,
            taught: false,
            taught_before: false,
        };
        self.met += 1;
        self.open.insert((at, hash));
        self.sessions.insert(hash, session);
        true
    }

    fn step(&mut self, hash: u64, event: Event, at: Timestamp) {
        let Some(session) = self.sessions.get_mut(&hash) else { return };
        let order = (session.last, hash);
        if session.ended {
            // It had not.
            self.ended.remove(&order);
            session.ended = false;
            session.steps.events().for_each(|event| add(&mut self.open_with, event));
            if std::mem::take(&mut session.taught) {
                session.taught_before = true;
                self.model.unlearn(&session.steps);
            }
        } else {
            self.open.remove(&order);
        }
        if !session.steps.is_empty() {
            self.pauses.learn(at.since(session.last));
        }
        session.last = session.last.max(at);
        self.open.insert((session.last, hash));
        let before = session.steps.last();
        let is_first = !session.steps.has(event);
        session.steps.push(event);
        session.suspicious |= self.model.could_be_odd(&session.steps, before);
        if is_first {
            add(&mut self.open_with, event);
        }
    }

    fn judge_open(&mut self, hash: u64, broken: &mut Broken) {
        let Some(session) = self.sessions.get_mut(&hash) else { return };
        session.suspicious = false;
        let oddities = self.model.judge(&session.steps, false);
        let open = self.open.len() as f64;
        let is_common = |event: Event| {
            let with = self.open_with.get(usize::from(event)).copied().unwrap_or(0);
            with > 1 && f64::from(with) > OPEN_SHARE * open
        };
        let oddities: Vec<Oddity> = oddities
            .into_iter()
            .filter(|oddity| match oddity.what {
                What::Count { event, count: 1, .. } => !is_common(event),
                _ => true,
            })
            .collect();
        if let Some(worst) = self.worst(&oddities).filter(could_be_told) {
            broken.ways.entry(self.events.series(worst.what)).or_default().push((hash, worst));
        }
    }

    /// The oddity that counts most.
    fn worst(&self, oddities: &[Oddity]) -> Option<Oddity> {
        let weight = |oddity: &&Oddity| weighed(oddity, &self.events).surprise();
        oddities.iter().min_by(|a, b| weight(b).total_cmp(&weight(a))).copied()
    }

    /// Ends the sessions that are over at the end of `window`, and tells of the broken ones.
    pub(super) fn close(
        &mut self,
        key: &ServiceKey,
        window: Window,
        config: &crate::Sessions,
        report: &mut Report,
    ) {
        let pause = self.pauses.longest();
        let mut broken = Broken::default();
        while let Some((last, hash)) = self.open.first().copied() {
            if last.plus(pause) > window.end() {
                break;
            }
            self.open.pop_first();
            self.ended.insert((last, hash));
            self.end(hash, config, &mut broken);
        }
        while let Some((last, hash)) = self.ended.first().copied() {
            if last.plus(REMEMBERED_FOR) > window.end() {
                break;
            }
            self.ended.pop_first();
            self.sessions.remove(&hash);
        }
        let keep = 1.0 - 1.0 / WINDOWS_A_DAY;
        self.windows = self.windows * keep + 1.0;
        self.judging_windows = self.judging_windows * keep + f64::from(u8::from(broken.judged > 0));
        report.tested(&key.0, Kind::BrokenSequence, 10, broken.judged);
        self.tell(key, broken, window, report);
    }

    /// The end of the input: all sessions end, those that teach alone first. Nothing is told: the input may have been
    /// cut anywhere.
    pub(super) fn finish(&mut self, config: &crate::Sessions) {
        let mut rest: Vec<(u64, u64)> =
            self.open.iter().filter_map(|(_, hash)| Some((self.sessions.get(hash)?.number, *hash))).collect();
        if config.learn.is_some() {
            rest.sort_unstable();
        }
        self.open.clear();
        for (_, hash) in rest {
            self.end(hash, config, &mut Broken::default());
        }
    }

    fn end(&mut self, hash: u64, config: &crate::Sessions, broken: &mut Broken) {
        let Some(session) = self.sessions.get_mut(&hash) else { return };
        session.ended = true;
        for event in session.steps.events() {
            if let Some(open) = self.open_with.get_mut(usize::from(event)) {
                *open = open.saturating_sub(1);
            }
        }
        let teaches = config.learn.is_none_or(|learn| session.number < learn);
        let judges = config.learn.is_none() || !teaches;
        let (mut score, mut is_broken) = (0.0, false);
        if judges && self.model.sessions() >= NEEDED {
            let oddities = self.model.judge(&session.steps, true);
            let told = session.told;
            broken.judged += 1;
            if let Some(worst) = self.worst(&oddities) {
                score = self::score(&oddities, &self.events);
                is_broken = !matches!(worst.what, What::Order { .. }) && could_be_told(&worst);
                if !told && could_be_told(&worst) {
                    broken.ways.entry(self.events.series(worst.what)).or_default().push((hash, worst));
                }
            }
        }
        let Some(session) = self.sessions.get_mut(&hash) else { return };
        session.told = false;
        if teaches {
            session.taught = true;
            self.model.learn(&session.steps, is_broken, session.taught_before);
        }
        if config.verdicts {
            self.verdicts.push((session.name.clone(), score));
        }
    }

    /// Tells of those that chance does not explain, all that are broken in one way together.
    fn tell(&mut self, key: &ServiceKey, broken: Broken, window: Window, report: &mut Report) {
        if self.model.sessions_of_one_step() * 2 > self.model.sessions() {
            // One line each: what is new about them is a new pattern.
            return;
        }
        let mut ways = 0;
        for (series, mut sessions) in broken.ways {
            if ways >= WAYS || self.told.get(&series).is_some_and(|told| told.plus(TOLD_FOR) > window.end()) {
                continue;
            }
            sessions.sort_by(|a, b| b.1.tail.surprise().total_cmp(&a.1.tail.surprise()).then(a.0.cmp(&b.0)));
            let (Some((_, worst)), Some((_, mildest))) = (sessions.first(), sessions.last()) else {
                continue;
            };
            let what = worst.what;
            let count = sessions.len() as u64;
            // Sessions of one window hang together: a share of them at most comes with the chance of one over that share
            // (Markov's inequality), however they do.
            let share = count as f64 / broken.judged.max(count) as f64;
            let chance = Tail::from_p((mildest.tail.p() / share).min(1.0));
            if chance.p() > self.least_unlikely(self.events.harms(what)) {
                continue;
            }
            for (hash, _) in &sessions {
                if let Some(session) = self.sessions.get_mut(hash) {
                    session.told = !session.ended;
                }
            }
            report.findings.extend(self.finding(key, &sessions, broken.judged, window, chance, &series));
            self.told.insert(series, window.end());
            ways += 1;
        }
        self.told.retain(|_, told| told.plus(TOLD_FOR) > window.end());
    }

    /// The tail of a window's broken sessions that is told: chance alone brings about so many a day, and more of what
    /// `harms`.
    fn least_unlikely(&self, harms: bool) -> f64 {
        let windows = self.windows.max(WINDOWS_NEEDED);
        let a_day = WINDOWS_A_DAY * (self.judging_windows + 1.0) / windows;
        let tolerated = if harms { FALSE_A_DAY * HARM } else { FALSE_A_DAY };
        (tolerated / a_day).min(LEAST_UNLIKELY)
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one finding, each of another meaning")]
    fn finding(
        &self,
        key: &ServiceKey,
        broken: &[(u64, Oddity)],
        judged: u64,
        window: Window,
        tail: Tail,
        series: &str,
    ) -> Option<Finding> {
        let (first, Oddity { what, like, .. }) = *broken.first()?;
        let first = self.sessions.get(&first)?;
        let count = broken.len() as u64;
        let Said { says, observed, expected, template } = self.events.say(what);
        let who = match count {
            1 => format!("session {}", shown(&first.name)),
            more => format!("{more} sessions, {} among them,", shown(&first.name)),
        };
        let many = count >= MANY && count as f64 >= LARGE_SHARE * judged as f64;
        let severity = match (many, self.events.harms(what)) {
            (true, true) => Severity::Critical,
            (false, false) => Severity::Info,
            _ => Severity::Warning,
        };
        let title = format!("{}: {who} {says}; {like} of {} earlier ones did", key.1, self.model.sessions());
        let effect = observed.max(0.5) / expected.max(0.5);
        let expected = (expected, expected);
        let draft = Draft {
            key,
            kind: Kind::BrokenSequence,
            series,
            window,
            tail,
            effect,
            observed,
            expected,
            severity,
            title,
        };
        let mut finding = draft.finish();
        finding.template = template.to_owned();
        let named: Vec<&str> = broken
            .iter()
            .filter_map(|(hash, _)| Some(self.sessions.get(hash)?.name.as_str()))
            .take(NAMED)
            .collect();
        finding.labels.insert("sessions".to_owned(), named.join(", "));
        finding.labels.insert("broken".to_owned(), count.to_string());
        finding.evidence.extend(first.lines.iter().map(|line| evidence(key, line)));
        Some(finding)
    }
}

fn add(counts: &mut Vec<u32>, event: Event) {
    let at = usize::from(event);
    if counts.len() <= at {
        counts.resize(at + 1, 0);
    }
    counts[at] += 1;
}

/// What an oddity counts as.
fn weighed(oddity: &Oddity, events: &Events) -> Tail {
    let more = if events.harms(oddity.what) { libm::log10(HARM) } else { 0.0 };
    Tail::from_surprise(oddity.tail.surprise() + more)
}

fn could_be_told(oddity: &Oddity) -> bool {
    oddity.tail.p() <= LEAST_UNLIKELY
}

/// Odds of being broken, by the worst of what is odd.
fn score(oddities: &[Oddity], events: &Events) -> f64 {
    let p = |oddity: &Oddity| {
        let weighed = weighed(oddity, events).p() / BROKEN;
        let never = if oddity.never && !matches!(oddity.what, What::Order { .. }) {
            oddity.tail.p() / NEVER
        } else {
            f64::INFINITY
        };
        weighed.min(never)
    };
    let least = oddities.iter().map(p).fold(f64::INFINITY, f64::min);
    if least.is_finite() { 1.0 / (1.0 + least) } else { 0.0 }
}
