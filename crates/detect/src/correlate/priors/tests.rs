use foreshock_model::{Id, JudgedSeries, Severity, Tenant};
use proptest::prelude::*;

use super::{super::sample::disk, *};

/// The end of a window so many days after a point in 2024.
fn day(days: u64) -> Timestamp {
    Timestamp::from_secs(1_710_000_000 + days * 86_400)
}

fn word(incident: u128, verdict: Verdict, series: &[&str]) -> Feedback {
    let of = |series: &&str| JudgedSeries {
        service: "shop".into(),
        series: (*series).into(),
        kind: Kind::Spike,
        surprise: 9.0,
        window_seconds: 0,
        lasted_seconds: 0,
        left_seconds: 0,
    };
    Feedback {
        incident: Id(incident),
        tenant: Tenant::default(),
        verdict,
        by: String::new(),
        note: String::new(),
        said_at: Timestamp(1),
        from: Timestamp(0),
        until: Timestamp(0),
        series: series.iter().map(of).collect(),
    }
}

/// Takes words, and says what is told of which incident.
fn take(priors: &mut Priors, end: Timestamp, words: Vec<Feedback>) -> Vec<(u128, Verdict)> {
    let limits = FeedbackLimits { incidents: 3, ..FeedbackLimits::default() };
    priors.take(end, words, &limits).iter().map(|said| (said.incident.0, said.verdict)).collect()
}

/// What holds of a series.
fn holds(priors: &Priors, series: &str) -> Option<(u128, Verdict)> {
    let key = ("shop".into(), series.to_owned(), Kind::Spike);
    let (incident, _) = priors.series.get(&key)?;
    Some((incident.0, priors.said[incident].verdict))
}

#[test]
fn the_last_word_on_a_series_holds_until_it_is_taken_back_or_over() {
    let mut priors = Priors::default();
    let told = take(&mut priors, day(0), vec![word(1, Verdict::Expected, &["a", "b"])]);
    assert_eq!(told, [(1, Verdict::Expected)]);
    let told = take(&mut priors, day(0), vec![word(2, Verdict::Useful, &["b", "c"])]);
    assert_eq!(told, [(2, Verdict::Useful)]);
    assert_eq!(holds(&priors, "a"), Some((1, Verdict::Expected)));
    assert_eq!(holds(&priors, "b"), Some((2, Verdict::Useful)));
    assert_eq!(priors.raised, [(Kind::Spike, 2)].into());

    let told = take(&mut priors, day(0), vec![word(2, Verdict::None, &[])]);
    assert_eq!(told, [(2, Verdict::None)]);
    assert_eq!((holds(&priors, "b"), holds(&priors, "c")), (None, None));
    assert_eq!(take(&mut priors, day(0), vec![word(2, Verdict::None, &[])]), [], "it holds no more");

    assert_eq!(
        take(&mut priors, day(30).minus(foreshock_model::BASE_WINDOW), vec![]),
        [(1, Verdict::Expected)]
    );
    assert_eq!(take(&mut priors, day(30), vec![]), [(1, Verdict::None)], "it is over");
    assert_eq!(priors, Priors { told: priors.told, ..Priors::default() });
}

#[test]
fn what_all_its_series_were_taken_from_does_not_hold_and_so_does_what_is_too_much() {
    let mut priors = Priors::default();
    take(&mut priors, day(0), vec![word(1, Verdict::Useful, &["a"])]);
    let told = take(&mut priors, day(0), vec![word(2, Verdict::Expected, &["a"])]);
    assert_eq!(told, [(1, Verdict::None), (2, Verdict::Expected)]);
    assert!(priors.raised.is_empty());

    let words = vec![
        word(3, Verdict::Useful, &["c"]),
        word(4, Verdict::NotUseful, &["d"]),
        word(5, Verdict::Useful, &["e"]),
    ];
    let told = take(&mut priors, day(0), words);
    let all = [(3, Verdict::Useful), (4, Verdict::NotUseful), (5, Verdict::Useful), (2, Verdict::None)];
    assert_eq!(told, all, "of those that end first the one with the lowest id ends");
    assert_eq!(priors.said.len(), 3);
}

#[test]
fn what_holds_is_told_once_a_day() {
    let mut priors = Priors::default();
    take(&mut priors, day(0), vec![word(1, Verdict::Expected, &["a"]), word(2, Verdict::Useful, &["b"])]);
    assert_eq!(take(&mut priors, day(0).plus(foreshock_model::BASE_WINDOW), vec![]), []);
    let told = take(&mut priors, day(1), vec![word(2, Verdict::None, &[])]);
    assert_eq!(told, [(2, Verdict::None), (1, Verdict::Expected)]);
}

#[test]
fn what_foreshock_says_of_itself_is_moved_by_no_word() {
    let mut own = word(1, Verdict::Expected, &["foreshock.lag"]);
    own.series[0].kind = Kind::Degraded;
    let mut priors = Priors::default();
    assert_eq!(take(&mut priors, day(0), vec![own]), []);
    assert_eq!(priors, Priors::default());
}

#[test]
fn a_few_useful_series_among_many_have_ten_times_their_share_and_many_have_no_more_than_all() {
    let few = Weights::of(4.0 / 4_000.0);
    assert!((9.9..10.0).contains(&few.useful) && (0.99..1.0).contains(&few.others), "{few:?}");
    let some = Weights::of(0.4);
    assert!((some.useful - 1.75).abs() < 1e-12 && some.others == 0.5, "{some:?}");
    assert_eq!(Weights::of(3.0), Weights { useful: 1.0, others: 0.5 });
    assert_eq!(Weights::of(0.0), Weights { useful: 1.0, others: 1.0 });
}

#[test]
fn what_was_judged_is_as_much_more_surprising_over_a_longer_window_as_it_lasted() {
    let judged = Judged { surprise: 6.0, window_seconds: 60, lasted_seconds: 240, left_seconds: 0 };
    assert_eq!([10.0, 60.0, 120.0, 600.0].map(|seconds| judged.over(seconds)), [6.0, 6.0, 12.0, 24.0]);
    assert_eq!(Judged { window_seconds: 0, ..judged }.over(600.0), 6.0, "it is not known how long it was");
}

#[test]
fn a_disk_that_was_expected_to_fill_is_as_any_other_when_a_quarter_of_the_time_is_left() {
    let mut priors = Priors::default();
    let filling = word(1, Verdict::Expected, &["disk"]);
    let series = filling.series.iter().cloned();
    let series = series.map(|of| JudgedSeries { kind: Kind::WillRunOut, left_seconds: 28_800, ..of });
    let filling = Feedback { series: series.collect(), ..filling };
    priors.take(day(1), vec![filling], &FeedbackLimits::default());
    let holds = |left| priors.of(&disk("shop", Severity::Critical, left, day(2))).is_some();
    assert_eq!([28_000, 7_210, 7_190, 60].map(holds), [true, true, false, false]);
}

proptest! {
    #[test]
    fn weights_average_to_at_most_one_however_many_of_those_that_may_be_raised_are(
        most in 0.0..2.0_f64, part in 0.0..=1.0_f64,
    ) {
        let Weights { useful, others } = Weights::of(most);
        let raised = most.min(1.0) * part;
        prop_assert!(raised * useful + (1.0 - raised) * others <= 1.0 + 1e-12);
        prop_assert!((1.0 - 1e-9..=USEFUL + 1e-9).contains(&useful), "{useful}");
        prop_assert!((LEAST_LEFT..=1.0).contains(&others), "{others}");
    }
}
