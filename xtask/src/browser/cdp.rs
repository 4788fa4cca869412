//! A headless Chromium, driven over its debugging pipe (Chrome DevTools Protocol).
//!
//! The pipe needs no port and no library: messages are JSON, each ended by a zero byte, on the browser's
//! descriptors 3 and 4.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::paths;

/// What the browser is called by distributions.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// How long an answer may take. Machines that run tests are slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// Size of the window.
pub(super) const WIDE: u32 = 1400;
pub(super) const HIGH: u32 = 1000;

const FLAGS: [&str; 11] = [
    "--headless",
    // Tests run as root in containers, where the sandbox cannot start. The pages are the project's own.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    // It opens the pages it is told to and asks the network for nothing of its own.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--remote-debugging-pipe",
    "about:blank",
];

/// The browser, if one is installed.
pub(crate) fn find() -> Result<String, String> {
    program().map(|path| path.display().to_string()).ok_or_else(|| format!("none of {}", NAMES.join(", ")))
}

fn program() -> Option<PathBuf> {
    NAMES.into_iter().find_map(paths::find_program)
}

/// A running browser with one page.
pub(super) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What the page said since it was asked last: events of the protocol.
    events: Vec<Value>,
    /// Its profile, gone with it.
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts it with an empty profile and opens an empty page.
    pub(super) fn start(log: &Path) -> Result<Self> {
        let program = program().context("no Chromium (`cargo xtask setup --group browser`)")?;
        let profile = tempfile::tempdir().context("no directory for the browser's profile")?;
        // The shell puts its standard input and output where the browser looks for the pipe.
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#]).arg(program).args(FLAGS);
        command
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--window-size={WIDE},{HIGH}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log).with_context(|| format!("cannot create {}", log.display()))?);
        let mut child = command.spawn().context("cannot start the browser")?;
        let to = child.stdin.take().context("no pipe to the browser")?;
        let output = child.stdout.take().context("no pipe from the browser")?;
        let (send, from) = channel();
        thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Ok(message) = message.map(|bytes| serde_json::from_slice::<Value>(&bytes)) else {
                    return;
                };
                if message.is_ok_and(|message| send.send(message).is_err()) {
                    return;
                }
            }
        });
        let mut browser =
            Self { child, to, from, session: None, last: 0, events: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attach)?;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for part in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{part}.enable"), &json!({}))?;
        }
        Ok(browser)
    }

    /// Calls a method and waits for its result.
    pub(super) fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message)?;
        bytes.push(0);
        self.to.write_all(&bytes).context("the browser is gone")?;
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let answer = self.from.recv_timeout(left);
            let answer = answer.with_context(|| format!("the browser does not answer to {method}"))?;
            if answer["id"] != json!(self.last) {
                self.events.push(answer);
            } else if let Some(error) = answer.get("error") {
                bail!("the browser refuses {method}: {error}");
            } else {
                return Ok(answer["result"].clone());
            }
        }
    }

    /// Opens a file and waits until `is_there` is true in the page.
    pub(super) fn open(&mut self, file: &Path, is_there: &str) -> Result<()> {
        let url = format!("file://{}", file.display());
        self.events.clear();
        self.call("Page.navigate", &json!({ "url": url }))?;
        self.wait_until(&format!(
            "document.readyState === 'complete' && location.protocol === 'file:' && ({is_there})"
        ))
        .with_context(|| format!("{url} does not open"))
    }

    /// Waits until an expression is true in the page.
    pub(super) fn wait_until(&mut self, expression: &str) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            // While a page loads there is nothing to ask at times.
            if self.ask(&format!("Boolean({expression})")).is_ok_and(|is| is == json!(true)) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("this did not become true: {expression}")
    }

    /// The value of an expression in the page.
    pub(super) fn ask(&mut self, expression: &str) -> Result<Value> {
        let params = json!({ "expression": expression, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", &params)?;
        if let Some(failed) = answer.get("exceptionDetails") {
            bail!("{expression} fails: {failed}");
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Moves the pointer; a button that is given is pressed and let go.
    pub(super) fn point(&mut self, x: f64, y: f64, click: bool) -> Result<()> {
        let kinds: &[&str] =
            if click { &["mouseMoved", "mousePressed", "mouseReleased"] } else { &["mouseMoved"] };
        for kind in kinds {
            let button = if *kind == "mouseMoved" { "none" } else { "left" };
            let params = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &params)?;
        }
        Ok(())
    }

    /// What the page asked for or complained about since it was opened, the page itself not counted.
    pub(super) fn complaints(&self) -> Vec<String> {
        self.events.iter().filter_map(complaint).collect()
    }
}

fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Network.requestWillBeSent" if params["type"] != "Document" => {
            Some(format!("a request for {}", params["request"]["url"]))
        }
        "Runtime.exceptionThrown" => Some(format!("an exception: {}", params["exceptionDetails"])),
        "Runtime.consoleAPICalled" => Some(format!("on the console: {}", params["args"])),
        "Log.entryAdded" => Some(format!("in the log: {}", params["entry"]["text"])),
        _ => None,
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
