//! A real browser, told what to do over its debugging pipe.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// For one answer, and for what a page is to show.
const PATIENCE: Duration = Duration::from_secs(30);

/// Chromium with one page open. Messages are JSON, each ended by a zero byte (Chrome DevTools Protocol over a pipe).
pub struct Browser {
    process: Child,
    orders: File,
    answers: Receiver<Value>,
    asked: u64,
    page: String,
}

impl Browser {
    /// Opens `address`, with its profile in `folder`; `None`, and a loud line, where there is no browser.
    pub fn open(folder: &Path, address: &str) -> Option<Self> {
        if let Err(error) = Command::new("chromium").arg("--version").output() {
            let message =
                format!("NOT TESTED in Chromium: {error}; install the package chromium (deploy/test-tools)");
            assert!(std::env::var_os("CI").is_none(), "{message}");
            eprintln!("{message}");
            return None;
        }
        let [orders, answers] = ["orders", "answers"].map(|name| folder.join(name));
        assert!(Command::new("mkfifo").args([&orders, &answers]).status().unwrap().success());
        // Chromium reads descriptor 3 and writes 4.
        let process = Command::new("sh")
            .args(["-c", "orders=$0 answers=$1; shift 1; exec chromium \"$@\" 3<\"$orders\" 4>\"$answers\""])
            .args([&orders, &answers])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-dev-shm-usage",
            ])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Opened both ways, a pipe with a name waits for nobody at its other end.
        let both_ways = |pipe| File::options().read(true).write(true).open(pipe).unwrap();
        let (orders, reader) = (both_ways(orders), BufReader::new(both_ways(answers)));
        let (said, answers) = channel();
        std::thread::spawn(move || {
            for message in reader.split(0).map_while(Result::ok) {
                if said.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    break;
                }
            }
        });
        let mut browser = Self { process, orders, answers, asked: 0, page: String::new() };
        let target = browser.ask("Target.createTarget", json!({"url": address}))["targetId"].clone();
        let page = browser.ask("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.page = page["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    /// What a script says of the page.
    pub fn see(&mut self, script: &str) -> Value {
        self.try_see(script).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The same, or why not: a page that is on its way to another answers nothing.
    fn try_see(&mut self, script: &str) -> Result<Value, Value> {
        let seen = self.try_ask("Runtime.evaluate", json!({"expression": script, "returnByValue": true}))?;
        if seen["exceptionDetails"].is_null() { Ok(seen["result"]["value"].clone()) } else { Err(seen) }
    }

    /// Waits until a script says `expected`.
    pub fn until(&mut self, script: &str, expected: &Value) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.try_see(script);
            if seen.as_ref() == Ok(expected) {
                return;
            }
            assert!(Instant::now() < deadline, "{script} is {seen:?}, not {expected}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Clicks into the middle of the one element that a selector names, with the mouse.
    pub fn click(&mut self, selector: &str) {
        let middle = format!(
            "(() => {{ const it = document.querySelector({selector:?}); it.scrollIntoView({{ block: 'center' }}); \
             const at = it.getBoundingClientRect(); return [at.x + at.width / 2, at.y + at.height / 2]; }})()"
        );
        let at = self.see(&middle);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", event);
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_ask(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.asked += 1;
        let mut order = json!({"id": self.asked, "method": method, "params": params});
        if !self.page.is_empty() {
            order["sessionId"] = self.page.clone().into();
        }
        self.orders.write_all(format!("{order}\0").as_bytes()).unwrap();
        loop {
            let mut answer = self.answers.recv_timeout(PATIENCE).expect("the browser answers");
            if answer["id"] == self.asked {
                return if answer["error"].is_null() { Ok(answer["result"].take()) } else { Err(answer) };
            }
        }
    }
}

impl Drop for Browser {
    /// It ends its own processes when it is asked to; it is killed if it does not.
    fn drop(&mut self) {
        let _ = self.orders.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
