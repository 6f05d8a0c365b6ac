use super::*;
use foreshock_model::Tenant;

const BUDGET: Budget = Budget { pages_a_week: 2.0 };
const MINUTES_A_WEEK: u64 = 7 * 1_440;
/// Of 2024, on an hour.
const START: u64 = 1_710_000_000;

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Of a mean of a few.
    fn poisson(&mut self, mean: f64) -> u64 {
        let (floor, mut product, mut count) = (libm::exp(-mean), self.unit(), 0);
        while product > floor {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// A tenant with a thousand tests a minute of one kind, of which only the small p-values are drawn: they are a
/// thousandth of all, and below that uniform.
struct Tests {
    account: Account,
    random: Random,
    minute: u64,
    /// So many times as many small p-values as there should be.
    times: f64,
    /// Whether p-values that are no findings are told as well.
    tells: bool,
}

impl Tests {
    fn new(seed: u64, times: f64) -> Self {
        Self { account: Account::default(), random: Random(seed), minute: 0, times, tells: true }
    }

    /// The smallest surprise that pages, and how many findings of these minutes did, each an incident.
    fn run(&mut self, minutes: u64) -> (f64, u64) {
        let mut pages = 0;
        let mut page = f64::INFINITY;
        for _ in 0..minutes {
            self.minute += 1;
            let small = self.random.poisson(self.times);
            self.take(1_000, small);
            page = self.page();
            for _ in 0..small {
                if 3.0 - libm::log10(self.random.unit()) >= page {
                    self.account.spend();
                    pages += 1;
                }
            }
        }
        (page, pages)
    }

    fn take(&mut self, count: u64, candidates: u64) {
        let end = Timestamp::from_secs(START + self.minute * 60);
        let (tenant, kind) = (Tenant::default(), Kind::Spike);
        let (candidates, told, found) = if self.tells { (candidates, count, 0) } else { (0, 0, candidates) };
        self.account
            .take(end, &[TestCount { tenant, kind, count, seconds: count * 60, candidates, told, found }]);
    }

    fn page(&self) -> f64 {
        self.account.asked(Some(Kind::Spike), 60.0, &BUDGET).page
    }
}

/// Mean pages a week over seeds, weeks `from` to `to`.
fn pages_a_week(times: f64, from: u64, to: u64) -> f64 {
    let seeds = 1..=120;
    let pages: u64 = seeds
        .clone()
        .map(|seed| {
            let mut tests = Tests::new(seed, times);
            tests.run(from * MINUTES_A_WEEK);
            tests.run((to - from) * MINUTES_A_WEEK).1
        })
        .sum();
    pages as f64 / (seeds.count() as u64 * (to - from)) as f64
}

#[test]
fn honest_p_values_page_as_often_as_the_budget_says_and_not_more() {
    // Of 240 pages that are expected in the first weeks the standard deviation is 15, and later less than half of that in proportion.
    let first = pages_a_week(1.0, 0, 1);
    assert!((1.4..=2.4).contains(&first), "{first}");
    let later = pages_a_week(1.0, 2, 5);
    assert!((1.4..=2.2).contains(&later), "{later}");
}

#[test]
fn without_pages_the_expected_number_of_false_pages_is_the_budget() {
    let mut tests = Tests::new(1, 0.0);
    for _ in 0..3 * MINUTES_A_WEEK {
        tests.minute += 1;
        tests.take(1_000, tests.minute % 2 * 2);
    }
    let false_pages = libm::exp10(-tests.page()) * 1_000.0 * MINUTES_A_WEEK as f64;
    assert!((false_pages - 2.0).abs() < 0.01, "{false_pages}");
}

#[test]
fn p_values_that_are_too_careful_are_given_more() {
    let mut honest = Tests::new(1, 1.0);
    let mut careful = Tests::new(1, 0.2);
    let mut told_only = Tests { tells: false, ..Tests::new(1, 0.2) };
    let given = honest.run(MINUTES_A_WEEK).0 - careful.run(MINUTES_A_WEEK).0;
    assert!((given - 0.7).abs() < 0.1, "{given}");
    let given = honest.page() - told_only.run(MINUTES_A_WEEK).0;
    assert!(given.abs() < 0.05, "few findings may be few that were told: {given}");
    let later = pages_a_week(0.2, 2, 5);
    assert!((1.4..=2.3).contains(&later), "{later}");
}

#[test]
fn p_values_that_are_too_small_are_held() {
    let (mut honest, mut careless) = (Tests::new(1, 1.0), Tests::new(1, 30.0));
    let held = careless.run(3 * MINUTES_A_WEEK).0 - honest.run(3 * MINUTES_A_WEEK).0;
    assert!(held > 1.2, "{held}");
    let mut findings = Tests { tells: false, ..Tests::new(1, 30.0) };
    let held = findings.run(3 * MINUTES_A_WEEK).0 - honest.page();
    assert!(held > 1.2, "and so are findings of those that do not tell: {held}");
    let later = pages_a_week(30.0, 4, 5);
    assert!(later <= 4.0, "60 without being held: {later}");
}

#[test]
fn an_hour_full_of_small_p_values_is_no_proof_that_they_lie() {
    let mut tests = Tests::new(1, 1.0);
    tests.run(3 * 1_440);
    let before = tests.page();
    tests.times = 100.0;
    for _ in 0..60 {
        tests.minute += 1;
        tests.take(1_000, 300);
    }
    tests.times = 1.0;
    tests.take(0, 0);
    for _ in 0..60 {
        tests.minute += 1;
        tests.take(1_000, 1);
    }
    let held = tests.page() - before;
    assert!(held < 0.05, "{held}");
}

#[test]
fn what_was_spent_is_held_back_and_comes_back_within_weeks() {
    let mut tests = Tests::new(1, 0.0);
    let pages = |tests: &mut Tests, minutes| {
        for _ in 0..minutes {
            tests.minute += 1;
            tests.take(1_000, tests.minute % 2 * 2);
        }
        tests.page()
    };
    let usual = pages(&mut tests, MINUTES_A_WEEK);
    (0..2).for_each(|_| tests.account.spend());
    assert_eq!(tests.page(), usual, "within the budget");
    (0..18).for_each(|_| tests.account.spend());
    assert_eq!(tests.page(), usual, "ten times as many may all be true");
    (0..180).for_each(|_| tests.account.spend());
    assert!((tests.page() - usual - 1.0).abs() < 1e-9, "a hundred times: {}", tests.page() - usual);
    (0..1_000_000).for_each(|_| tests.account.spend());
    assert!((tests.page() - usual - 2.0).abs() < 1e-9, "what is surprising enough pages for all that");
    let warn = tests.account.asked(Some(Kind::Spike), 60.0, &BUDGET).warn;
    assert!((usual - warn - libm::log10(30.0)).abs() < 1e-9, "and what does not page is a warning as before");
    let mut tests = Tests { account: Account { pages: 200.0, ..tests.account.clone() }, ..tests };
    let week = pages(&mut tests, MINUTES_A_WEEK) - usual;
    assert!((0.4..0.7).contains(&week), "{week}");
    assert!(pages(&mut tests, 2 * MINUTES_A_WEEK) - usual < 0.01);
}

#[test]
fn a_start_and_many_more_tests_at_once_bring_no_flood() {
    let mut tests = Tests::new(1, 0.0);
    tests.minute += 1;
    tests.take(1_000, 0);
    let asked = libm::log10(1_000.0 * MINUTES_A_WEEK as f64 / 2.0);
    assert!((tests.page() - asked).abs() < 1e-3, "of the first minute: {}", tests.page());
    for _ in 0..MINUTES_A_WEEK {
        tests.minute += 1;
        tests.take(1_000, tests.minute % 2 * 2);
    }
    for _ in 0..60 {
        tests.minute += 1;
        tests.take(100_000, 100);
    }
    assert!(tests.page() - asked > 1.95, "an hour later: {}", tests.page() - asked);

    let little = Account::default().thresholds(None, &BUDGET);
    assert_eq!(little.streams, FEWEST_STREAMS, "nothing is known");
}

#[test]
fn a_long_time_without_tests_is_forgotten_and_the_end_of_time_changes_nothing() {
    let mut tests = Tests::new(1, 1.0);
    tests.run(1_440);
    tests.account.spend();
    let before = tests.account.clone();
    tests.account.take(Timestamp::MAX, &[]);
    assert_eq!(tests.account, before);
    tests.minute += 20 * MINUTES_A_WEEK;
    tests.take(0, 0);
    assert_eq!(tests.account.spending(&BUDGET).thresholds.paged_a_week, 0.0);
}

#[test]
fn looks_in_between_change_no_digit() {
    let (mut often, mut seldom) = (Tests::new(1, 1.0), Tests::new(1, 1.0));
    for _ in 0..2_000 {
        often.minute += 7;
        seldom.minute += 7;
        let end = Timestamp::from_secs(START + often.minute * 60 - 30);
        often.account.take(end, &[]);
        often.take(500, 1);
        seldom.take(500, 1);
        assert_eq!(often.account, seldom.account);
    }
}
