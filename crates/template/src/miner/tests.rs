use proptest::prelude::*;

use super::*;

fn learn_all(miner: &mut Miner, shapes: &[&str]) -> Vec<Outcome> {
    shapes.iter().map(|shape| miner.learn(shape).outcome).collect()
}

fn templates(miner: &Miner) -> Vec<String> {
    miner.ids().into_iter().map(|id| miner.render(id)).collect()
}

#[test]
fn a_word_that_varies_becomes_a_parameter_and_the_oldest_id_stays() {
    let mut miner = Miner::default();
    let first = miner.learn("session opened for user ann by (uid=<val>)").template;
    let second = miner.learn("session opened for user bob by (uid=<val>)").template;
    assert_ne!(first, second, "two words are no evidence yet");
    let third = miner.learn("session opened for user eve by (uid=<val>)");
    assert_eq!(third, Learned { template: first, outcome: Outcome::Generalised });
    assert_eq!(templates(&miner), ["session opened for user <*> by (uid=<*>)"]);
    assert_eq!(miner.resolve(second), first);
    assert_eq!(miner.render(second), "session opened for user <*> by (uid=<*>)");
    assert_eq!(miner.learn("session opened for user joe by (uid=<val>)").outcome, Outcome::Known);
    assert_eq!(miner.lookup("session opened for user joe by (uid=<val>)"), Some(first));
    assert_eq!(miner.lookup("session closed for user joe by (uid=<val>)"), None);
}

#[test]
fn two_words_are_two_events() {
    let mut miner = Miner::default();
    learn_all(
        &mut miner,
        &["link <num> is up now", "link <num> is down now", "Accepted key for <id>", "Failed key for <id>"],
    );
    assert_eq!(miner.len(), 4);
}

#[test]
fn parameters_of_other_kinds_are_the_same_template() {
    let mut miner = Miner::default();
    let first = miner.learn("iar <num> dear <hex> end").template;
    assert_eq!(miner.learn("iar <hex> dear <num> end"), Learned { template: first, outcome: Outcome::Known });
    assert_eq!(
        miner.learn("iar <hex> <num> dear <num> end").outcome,
        Outcome::Known,
        "a run of parameters is one"
    );
    assert_eq!(miner.render(first), "iar <*> dear <*> end");
}

#[test]
fn several_positions_open_one_after_the_other() {
    let mut miner = Miner::default();
    for user in ["ann", "bob", "eve", "joe"] {
        for city in ["rome", "oslo", "bern", "kyiv"] {
            miner.learn(&format!("user {user} has logged in from {city} today"));
        }
    }
    assert_eq!(templates(&miner), ["user <*> has logged in from <*> today"]);
    assert_eq!(miner.learn("user zoe has logged in from nice today").outcome, Outcome::Known);
}

#[test]
fn lines_of_parameters_and_one_word_do_not_breed() {
    let mut miner = Miner::default();
    for n in 0..2000 {
        let word = word(n);
        miner.learn(&format!("<num> {word} <num>"));
        miner.learn(&word);
    }
    assert!(miner.len() < 64, "{}", miner.len());
}

#[test]
fn past_the_limit_shapes_are_other_and_known_ones_stay_known() {
    let mut miner = Miner::new(MinerLimits { templates: 3, merged: 2 });
    let outcomes = learn_all(
        &mut miner,
        &["a b c one", "d e f two g", "h i j three k l", "m n o four p q r", "a b c one"],
    );
    assert_eq!(outcomes, [Outcome::New, Outcome::New, Outcome::New, Outcome::Other, Outcome::Known]);
    assert_eq!(miner.learn("m n o four p q r").template, TemplateId::OTHER);
    assert_eq!(miner.render(TemplateId::OTHER), "<*>");
    assert_eq!(miner.render(TemplateId(77)), "");
}

/// Letters that stand for a number.
fn word(n: usize) -> String {
    n.to_string().bytes().map(|b| char::from(b'a' + b - b'0')).collect()
}

#[test]
fn more_sets_of_open_positions_than_are_tried_lose_no_template() {
    let mut shapes = Vec::new();
    for i in 0..13 {
        for j in 0..i {
            for value in 0..16 {
                let mut tokens: Vec<String> =
                    (0..13).map(|k| format!("w{}", word(1000 + k + 13 * (13 * i + j)))).collect();
                tokens[i] = word(value % 4);
                tokens[j] = word(value / 4);
                shapes.push(tokens.join(" "));
            }
        }
    }
    let mut miner = Miner::default();
    for shape in &shapes {
        miner.learn(shape);
    }
    let count = miner.len();
    assert!(count < shapes.len() / 2, "{count}");
    for shape in &shapes {
        assert_eq!(miner.learn(shape).outcome, Outcome::Known, "{shape}");
    }
    assert_eq!(miner.len(), count);
}

#[test]
fn two_values_that_vary_together_become_parameters_when_there_are_many() {
    let mut miner = Miner::default();
    let shape =
        |n: usize| format!("parcel of {} leaves today for {} by ship", word(n + 10), word(7 * n + 300));
    for n in 0..15 {
        miner.learn(&shape(n));
    }
    assert_eq!(miner.len(), 15, "so far they may be what was written");
    for n in 15..200 {
        miner.learn(&shape(n));
    }
    assert_eq!(templates(&miner), ["parcel of <*> leaves today for <*> by ship"]);
    // Few states come in as many pairs.
    let mut miner = Miner::default();
    let states = ["new", "open", "held", "late", "sent", "lost", "done"];
    for (i, from) in states.iter().enumerate() {
        for to in &states[i + 1..(i + 3).min(states.len())] {
            miner.learn(&format!("order moved from {from} to {to} by clerk"));
        }
    }
    assert_eq!(miner.len(), 11);
}

#[test]
fn lines_of_free_text_never_become_a_template_of_parameters_alone() {
    let mut miner = Miner::new(MinerLimits { templates: 512, ..MinerLimits::default() });
    for n in 0..20_000 {
        let words: Vec<String> = (0..2 + n % 4).map(|i| word((n * 7919 + i * 104_729) % 1_000_003)).collect();
        miner.learn(&words.join(" "));
    }
    for template in templates(&miner) {
        let says_something = template.split(' ').any(|token| token != "<*>");
        assert!(says_something, "{template}");
    }
}

#[test]
fn a_run_of_parameters_is_one_also_in_brackets() {
    let mut miner = Miner::default();
    let first = miner.learn("run (<path>) now").template;
    for shape in
        ["run (<path> <path>) now", "run (<path>, <num>, <path>) now", "run (<num> <path> <path> <id>) now"]
    {
        assert_eq!(miner.learn(shape), Learned { template: first, outcome: Outcome::Known }, "{shape}");
    }
    assert_eq!(miner.render(first), "run (<*>) now");
}

#[test]
fn an_empty_shape_is_a_template_too() {
    let mut miner = Miner::default();
    let empty = miner.learn("");
    assert_eq!(empty.outcome, Outcome::New);
    assert_eq!(miner.lookup(""), Some(empty.template));
}

fn shapes() -> impl Strategy<Value = Vec<String>> {
    let token = prop::sample::select(vec![
        "open", "close", "user", "ann", "bob", "eve", "joe", "a.b", "c.d", "x_y", "Q7", "<num>", "<ip>,",
        "k=<val>", "(<hex>)", "<*>", "<",
    ]);
    let shape = prop::collection::vec(token, 0..7).prop_map(|tokens| tokens.join(" "));
    prop::collection::vec(shape, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_second_pass_adds_no_template_and_changes_nothing(shapes in shapes()) {
        let mut miner = Miner::default();
        let first: Vec<_> = shapes.iter().map(|shape| miner.learn(shape).template).collect();
        let before = miner.clone();
        for (shape, id) in shapes.iter().zip(first) {
            let learned = miner.learn(shape);
            prop_assert_eq!(learned.outcome, Outcome::Known, "{}", shape);
            prop_assert_eq!(learned.template, miner.resolve(id), "{}", shape);
        }
        prop_assert_eq!(miner, before);
    }

    #[test]
    fn a_restored_miner_goes_on_as_if_nothing_had_happened(shapes in shapes(), cut in any::<prop::sample::Index>(), limit in 1usize..40) {
        let mut whole = Miner::new(MinerLimits { templates: limit, merged: 8 });
        let expected: Vec<_> = shapes.iter().map(|shape| whole.learn(shape)).collect();
        let (head, tail) = shapes.split_at(cut.index(shapes.len() + 1));
        let mut miner = Miner::new(MinerLimits { templates: limit, merged: 8 });
        let mut found: Vec<_> = head.iter().map(|shape| miner.learn(shape)).collect();
        let mut restored = Miner::from(Saved::from(miner));
        found.extend(tail.iter().map(|shape| restored.learn(shape)));
        prop_assert_eq!(found, expected);
        prop_assert_eq!(restored, whole);
    }

    #[test]
    fn looking_up_agrees_with_learning(shapes in shapes()) {
        let mut miner = Miner::default();
        for shape in &shapes {
            let learned = miner.learn(shape);
            prop_assert_eq!(miner.lookup(shape), Some(learned.template));
        }
        let ids = miner.ids();
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        prop_assert_eq!(distinct.len(), ids.len());
    }
}
