//! `cargo xtask browser`: the HTML report in a real browser.
//!
//! Pages of recordings and of a made-up trace with 10,000 devices are opened, pointed at, searched, printed and read
//! without a script. What the browser showed is in `target/browser`, for people to look at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::progress::{section, step};
use crate::setup::{self, Group};
use crate::{Verdict, paths, process};

mod cdp;

use cdp::Browser;
pub(crate) use cdp::find;

/// A page and what it must show.
struct Page {
    name: &'static str,
    /// The trace it is made from; one without is made up.
    trace: Option<&'static str>,
    /// Waits are drawn as arrows when it opens.
    has_arrows: bool,
    /// What is searched for in the timeline.
    search: &'static str,
}

/// Devices of the trace that is made up.
const DEVICES: &str = "10000";

const PAGES: [Page; 3] = [
    Page {
        name: "deadlock",
        trace: Some("6.1-rescan-deadlock.pmtrace"),
        has_arrows: true,
        search: "1:0:0:0",
    },
    Page { name: "healthy", trace: Some("6.1-healthy.pmtrace"), has_arrows: false, search: "(acpi)" },
    Page { name: "large", trace: None, has_arrows: false, search: "driver-7)" },
];

/// Checks of one page, by name, and whether they passed.
type Checks = Vec<(String, bool)>;

/// Makes the pages and checks them.
pub(crate) fn run() -> Result<Verdict> {
    let checks = checks()?;
    let failed = checks.iter().filter(|(_, ok)| !ok).count();
    println!("\n{} passed, {failed} failed", checks.len() - failed);
    Ok(Verdict::from_ok(failed == 0))
}

/// The same for `cargo xtask test`.
pub(crate) fn checks() -> Result<Checks> {
    setup::ensure(&[Group::Build, Group::Browser])?;
    section("the HTML report in a browser");
    let dir = paths::target().join("browser");
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    step("building pm-trace and a large trace", || {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(paths::root()).args(["build", "--package", "pm-trace", "--bins", "--examples"]);
        process::run(&mut cargo)?;
        let example = paths::target().join("debug/examples/large_trace");
        process::run(Command::new(example).arg(dir.join("large.pmtrace")).arg(DEVICES))
    })?;
    let mut browser = Browser::start(&dir.join("browser.log"))?;
    let mut checks = Checks::new();
    for page in &PAGES {
        let file = step(format!("page {}", page.name), || make(page, &dir))?;
        let before = checks.len();
        check(&mut browser, page, &file, &mut checks)?;
        for (name, ok) in &checks[before..] {
            println!("{} {}: {name}", if *ok { "ok    " } else { "FAILED" }, page.name);
        }
    }
    println!("pictures: {}", dir.display());
    Ok(checks)
}

/// Has pm-trace write the page.
fn make(page: &Page, dir: &Path) -> Result<PathBuf> {
    let trace = match page.trace {
        Some(name) => paths::root().join("pm-trace/tests/data/traces").join(name),
        None => dir.join("large.pmtrace"),
    };
    let file = dir.join(page.name).with_extension("html");
    let out = fs::File::create(&file).with_context(|| format!("cannot create {}", file.display()))?;
    let mut command = Command::new(paths::target().join("debug/pm-trace"));
    command.arg("report").arg(trace).args(["--format", "html"]).stdout(Stdio::from(out));
    // Exit code 3 says that something was found, which is what some traces are for.
    let code = command.status().context("cannot start pm-trace")?.code();
    anyhow::ensure!(matches!(code, Some(0 | 3)), "`{}` failed: {code:?}", process::line(&command));
    Ok(file)
}

/// What the canvas says about what it drew.
const CANVAS: &str = "document.getElementById('timeline').dataset";

fn check(browser: &mut Browser, page: &Page, file: &Path, checks: &mut Checks) -> Result<()> {
    browser.open(file, "document.documentElement.dataset.ready")?;
    let mut passes = |name: &str, ok: bool| checks.push((name.to_owned(), ok));
    let ready = browser.ask("document.documentElement.dataset.ready")?;
    let size = fs::metadata(file)?.len() / 1024;
    let number = |value: Value| value.as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let bars = number(browser.ask(&format!("{CANVAS}.bars"))?);
    let lanes = number(browser.ask(&format!("{CANVAS}.lanes"))?);
    println!(
        "       {}: {size} KiB, {lanes} lanes, drawn {} ms after loading began",
        page.name,
        number(ready)
    );
    passes("the timeline is drawn", bars > 0 && lanes > 10);
    picture(browser, file, "top")?;
    browser.ask("document.getElementById('time').scrollIntoView()")?;
    browser.ask("document.getElementById('lanes').scrollTop = 0")?;
    if page.has_arrows {
        let arrows = number(browser.ask(&format!("{CANVAS}.arrows"))?);
        passes("waits are arrows", arrows > 0);
    }
    passes("a bar says what it is", hover(browser)?);
    passes("the device tree leads to the timeline and back", tree_and_timeline(browser)?);
    if page.has_arrows {
        passes("the wait graph opens what is known of a node", node(browser)?);
        passes("who waits leads to the timeline and back", party(browser)?);
        passes("pointing at one place marks the others", marks(browser)?);
    }
    browser.ask("document.getElementById('time').scrollIntoView()")?;
    picture(browser, file, "timeline")?;
    passes("the wheel comes closer", zoom(browser)?);
    let found = search(browser, page.search)?;
    passes("a search leaves what it finds", found > 0 && found < lanes);
    picture(browser, file, "search")?;
    // The page before may have left its choice behind: once around through all of them, then on to the dark one.
    let themes = browser.ask(
        "(() => { const seen = []; const next = () => { document.getElementById('theme').click(); \
         seen.push(document.documentElement.dataset.theme); }; next(); next(); next(); \
         while (seen.at(-1) !== 'dark' && seen.length < 6) next(); return seen; })()",
    )?;
    let chosen = ["auto", "dark", "light"]
        .iter()
        .all(|name| themes.as_array().is_some_and(|seen| seen.contains(&json!(name))));
    browser.ask("scrollTo(0, 0)")?;
    picture(browser, file, "dark")?;
    passes("the colours can be chosen", chosen);
    let pdf = browser.call("Page.printToPDF", &json!({}))?;
    let pdf = decode(pdf["data"].as_str().unwrap_or_default());
    fs::write(file.with_extension("pdf"), &pdf)?;
    passes("it can be printed", pdf.starts_with(b"%PDF"));
    passes("no empty pages are printed for lanes out of sight", prints_what_it_shows(browser)?);
    let title = browser.ask("document.title")?;
    passes("names are names", title.as_str().is_some_and(|title| title.ends_with("pm-trace")));
    let complaints = browser.complaints();
    complaints.iter().for_each(|complaint| println!("       {complaint}"));
    passes("no request, nothing on the console", complaints.is_empty());
    passes("it reads without a script", plain(browser, file)?);
    Ok(())
}

/// Points at the first lane, whose bars reach from side to side.
fn hover(browser: &mut Browser) -> Result<bool> {
    let (x, y) = in_timeline(browser)?;
    for part in 1..20 {
        browser.point(x * f64::from(part) / 20.0 + 300.0 * (1.0 - f64::from(part) / 20.0), y, false)?;
        let told = browser
            .ask("document.getElementById('tip').hidden ? '' : document.getElementById('tip').innerText")?;
        if told.as_str().is_some_and(|told| told.lines().count() >= 3) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Clicks on a name in the tree that has a lane; the timeline keeps a bar of it, with a link to the row.
fn tree_and_timeline(browser: &mut Browser) -> Result<bool> {
    let led = browser.ask(
        "(() => { const detail = document.getElementById('detail'); \
         for (const name of document.querySelectorAll('#tree b')) { \
           name.click(); const row = name.closest('summary, p'); \
           const back = detail.querySelector(`a[href=\"#${row.id}\"]`); if (!back) continue; \
           document.querySelectorAll('#tree details').forEach((list) => { list.open = false; }); \
           back.click(); return row.offsetHeight > 0 && detail.textContent.includes(name.textContent); } \
         return false; })()",
    )?;
    Ok(led == json!(true))
}

/// Clicks on a node of the first finding's drawing: the row of the list that tells about it is open then.
fn node(browser: &mut Browser) -> Result<bool> {
    let opened = browser.ask(
        "(() => { const node = document.querySelector('.finding svg a'); \
         const row = document.querySelector(node.getAttribute('href')); const part = row.querySelector('details'); \
         const before = part.open; node.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true })); \
         return !before && part.open && node.querySelector('title').textContent.length > 0; })()",
    )?;
    Ok(opened == json!(true))
}

/// Clicks on who waits in the first finding: the timeline shows it, and leads back to the finding.
fn party(browser: &mut Browser) -> Result<bool> {
    let led = browser.ask(
        "(() => { const party = document.querySelector('.chain a.party'); party.click(); \
         const back = document.querySelector('#detail a[href=\"#finding-1\"]'); \
         return Boolean(back) && document.activeElement.id === 'lanes'; })()",
    )?;
    Ok(led == json!(true))
}

/// Points at a node of the drawing: the same party is marked in the list.
fn marks(browser: &mut Browser) -> Result<bool> {
    let area = browser.ask(
        "(() => { const node = document.querySelector('.finding svg a[data-lane]'); node.scrollIntoView({ block: 'center' }); \
         const { left, top, width, height } = node.getBoundingClientRect(); return [left + width / 2, top + height / 2]; })()",
    )?;
    let at = |n: usize| area[n].as_f64().context("the drawing has no node");
    browser.point(at(0)?, at(1)?, false)?;
    let marked = browser.ask("document.querySelectorAll('.chain a.same').length > 0")?;
    Ok(marked == json!(true))
}

/// The right end of the first lane in the window.
fn in_timeline(browser: &mut Browser) -> Result<(f64, f64)> {
    let area = browser.ask(
        "(({right, top}) => [right, top])(document.getElementById('timeline').getBoundingClientRect())",
    )?;
    let at = |n: usize| area[n].as_f64().context("the timeline has no place");
    Ok((at(0)? - 12.0, at(1)? + 31.0))
}

/// Turns the wheel with Ctrl: less time is shown.
fn zoom(browser: &mut Browser) -> Result<bool> {
    let (x, y) = in_timeline(browser)?;
    let before = browser.ask(&format!("{CANVAS}.shown"))?;
    let wheel =
        json!({ "type": "mouseWheel", "x": x * 0.6, "y": y, "deltaX": 0, "deltaY": -120, "modifiers": 2 });
    browser.call("Input.dispatchMouseEvent", &wheel)?;
    browser.wait_until(&format!("{CANVAS}.shown !== {before}"))?;
    let after = browser.ask(&format!("{CANVAS}.shown"))?;
    browser.ask("document.getElementById('fit').click()")?;
    let nanos = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    Ok(nanos(&after) < nanos(&before))
}

/// Types into the search; how many lanes are left.
fn search(browser: &mut Browser, text: &str) -> Result<u64> {
    browser.ask("document.getElementById('search').focus()")?;
    browser.call("Input.insertText", &json!({ "text": text }))?;
    browser.wait_until("document.getElementById('count').textContent.includes(' of ')")?;
    let count = browser.ask("parseInt(document.getElementById('count').textContent)")?;
    Ok(count.as_u64().unwrap_or_default())
}

/// On paper nobody scrolls: the timeline takes as much room as what it shows.
fn prints_what_it_shows(browser: &mut Browser) -> Result<bool> {
    let media = |name: &str| json!({ "media": name });
    browser.call("Emulation.setEmulatedMedia", &media("print"))?;
    let height = |id: &str| format!("document.getElementById('{id}').offsetHeight");
    let empty = browser.ask(&format!("{} - {}", height("lanes"), height("timeline")))?;
    browser.call("Emulation.setEmulatedMedia", &media(""))?;
    Ok(empty.as_f64().is_some_and(|empty| empty < 10.0))
}

/// Opens it with scripts off: the verdict, all findings and tables are there, what needs a script is not shown.
fn plain(browser: &mut Browser, file: &Path) -> Result<bool> {
    browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": true }))?;
    browser.open(file, "document.getElementById('cycles')")?;
    let shows = browser.ask(
        "getComputedStyle(document.getElementById('time')).display === 'none' \
         && document.getElementById('verdict').offsetHeight > 0 \
         && document.querySelectorAll('#cycles table').length > 0 \
         && document.querySelectorAll('#tree b').length > 100",
    )?;
    picture(browser, file, "plain")?;
    browser.call("Emulation.setScriptExecutionDisabled", &json!({ "value": false }))?;
    Ok(shows == json!(true))
}

/// What the window shows, beside the page.
fn picture(browser: &mut Browser, page: &Path, name: &str) -> Result<()> {
    let shot = browser.call("Page.captureScreenshot", &json!({ "format": "png" }))?;
    let file = page.with_extension(format!("{name}.png"));
    fs::write(&file, decode(shot["data"].as_str().unwrap_or_default()))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Base64, as the protocol wraps pictures.
fn decode(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
}
