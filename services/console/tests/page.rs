//! The page, in a real browser: what a person clicks is said, and what holds is shown.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use foreshock_console::Config;
use foreshock_journal::Journal;
use foreshock_model::{Id, Timestamp, Verdict};
use serde_json::json;
use support::{
    Running,
    browser::Browser,
    sample::{gallery, said, say_incident, tell},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_click_says_what_an_incident_was_and_another_takes_it_back() {
    let with_gallery = async |journal: &dyn Journal| {
        for incident in gallery() {
            say_incident(journal, &incident).await;
        }
    };
    let console = Running::start(Config::default(), with_gallery).await;
    let journal = console.journal.clone();
    let folder = tempfile::tempdir().unwrap();
    let Some(mut browser) = Browser::open(folder.path(), &format!("http://{}/", console.address)) else {
        return;
    };
    let id = Id(1);
    let button = format!("[data-key=\"{id} expected\"]");
    let pressed = format!("document.querySelector('{button}')?.getAttribute('aria-pressed')");
    let status = format!(
        "document.querySelector('{button}').parentElement.querySelector('[role=status]').textContent"
    );
    browser.until(&pressed, &json!("false"));

    browser.click(&button);
    browser.until(&status, &json!("taken from the next window on"));
    browser.until(&pressed, &json!("true"));
    let mut word = said(&*journal).await.remove(0);
    assert_eq!((word.incident, word.verdict), (id, Verdict::Expected));
    (word.from, word.until) = (Timestamp::from_secs(1_800_000_000), Timestamp::from_secs(1_900_000_000));
    tell(&*journal, &word).await;
    browser.until(&format!("{status}.startsWith('holds until 2030-03-1')"), &json!(true));
    // A page that is opened anew shows it too.
    browser.see("location.reload()");
    browser.until("performance.getEntriesByType('navigation')[0]?.type", &json!("reload"));
    browser.until(&pressed, &json!("true"));

    browser.click(&button);
    browser.until(&status, &json!("taken back from the next window on"));
    let word = said(&*journal).await.remove(1);
    assert_eq!((word.incident, word.verdict), (id, Verdict::None));
    tell(&*journal, &word).await;
    browser.until(&pressed, &json!("false"));
    browser.until(&status, &json!(""));
    // No line of a log became part of the page.
    assert_eq!(browser.see("document.title.endsWith('Foreshock')"), json!(true));
    assert_eq!(browser.see("document.querySelectorAll('script').length"), json!(1));
    drop(browser);
    console.stop().await;
}
