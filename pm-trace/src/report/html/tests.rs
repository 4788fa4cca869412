//! Structure and escaping of the page.

use super::{Gather, SCRIPT, STYLE, policy};
use crate::diagnose::Analysis;
use crate::diagnose::scenario::{Scenario, look, rescan_deadlock};
use crate::event::Event;
use crate::report::Report;
use crate::trace::{Session, Trace};
use std::path::Path;

/// The page and what it was made from.
fn page(scenario: &Scenario, session: &Session) -> (String, Gather) {
    let events = scenario.events.iter().cloned();
    made(events, Some(session))
}

fn made(events: impl Iterator<Item = Event>, session: Option<&Session>) -> (String, Gather) {
    let (mut analysis, mut gather) = (Analysis::default(), Gather::default());
    for event in events {
        analysis.apply(&event);
        gather.apply(&event);
    }
    let report = Report::new(session, analysis.model(), analysis.findings_at_end(), Vec::new());
    (gather.clone().page(&report).unwrap(), gather)
}

fn deadlock() -> Scenario {
    let mut s = rescan_deadlock(true);
    look(&mut s, 21_480, true);
    s
}

fn recorded(name: &str) -> (String, Gather) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/traces").join(name);
    let mut trace = Trace::open(&path).unwrap();
    let events: Vec<Event> = trace.by_ref().collect();
    made(events.into_iter(), trace.session())
}

/// The data of the page as a script reads it.
fn data(page: &str) -> serde_json::Value {
    let (_, rest) = page.split_once(r#"<script type="application/json" id="data">"#).unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

/// Without the style, the scripts and the data: what is markup by the page's own will.
fn markup(page: &str) -> String {
    let page = page.replace(STYLE.text, "").replace(SCRIPT.text, "");
    let (before, rest) = page.split_once(r#"id="data">"#).unwrap();
    format!("{before}{}", rest.split_once("</script>").unwrap().1)
}

/// Who does not keep events, and gets those behind findings once more, makes the same page.
#[test]
fn a_page_is_the_same_without_events() {
    let scenario = deadlock();
    let (mut all, mut few) = (Gather::default(), Gather::without_events());
    for event in &scenario.events {
        all.apply(event);
        few.apply(event);
    }
    let report = few.report();
    assert!(!report.findings.is_empty());
    let again = |each: &mut dyn FnMut(&Event)| -> Result<(), ()> {
        scenario.events.iter().for_each(each);
        Ok(())
    };
    few.look_up(&report, again).unwrap();
    let page = few.page(&report).unwrap();
    assert!(!page.contains("is not in this trace"));
    assert!(page == all.page(&report).unwrap());
}

/// A name may be anything a driver or a program thinks of. None of it may become markup, a script or a request.
#[test]
fn names_are_no_markup() {
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[2J\u{202e}\"'&<!--";
    let mut s = rescan_deadlock(true);
    s.device(40, Some(30), evil, evil);
    look(&mut s, 21_480, true);
    let session = Session { product: evil.to_owned(), cmdline: evil.to_owned(), ..Session::default() };
    let (page, _) = page(&s, &session);
    assert!(page.contains("&#60;img src=x"), "the name is shown, escaped");
    let markup = markup(&page);
    assert!(!markup.contains("<img") && !markup.contains("alert(1)</script>") && !markup.contains("<!--"));
    assert_eq!(markup.matches("<script").count(), 2, "the page's data and its script, no other");
    assert_eq!(page.chars().find(|&c| crate::text::is_unsafe(c) && c != '\n'), None);
    let names = data(&page)["lanes"]["names"].to_string();
    assert!(names.contains("<img src=x"), "the script gets the name as it is: {names}");
    let (_, json) = page.split_once(r#"id="data">"#).unwrap();
    assert!(!json.split_once("</script>").unwrap().0.contains('<'), "nothing in the data can end it");
}

/// Whoever reads without JavaScript, or on paper, gets the whole of it.
#[test]
fn the_deadlock_can_be_read_without_a_script() {
    let (html, gather) = recorded("6.1-rescan-deadlock.pmtrace");
    let markup = markup(&html);
    assert!(markup.contains(r#"<header class="error">"#), "the verdict's colour");
    for told in [
        "deadlocked for 7.29 s, proved",
        "waits for",
        "held by",
        "closes the cycle",
        "Ordering",
        "evidence: ",
        "<svg",
    ] {
        assert!(markup.contains(told), "{told}");
    }
    let devices = gather.history.head().devices().filter(|(_, device)| device.info.is_some()).count();
    let rows = markup.split_once(r#"<div id="tree">"#).unwrap().1;
    assert_eq!(rows.split_once("</section>").unwrap().0.matches("<b>").count(), devices);
    assert_eq!(markup.matches("<details").count(), markup.matches("</details>").count());
}

/// The page asks the network for nothing, and its policy forbids it.
#[test]
fn nothing_is_fetched() {
    let (html, _) = recorded("6.12-healthy.pmtrace");
    assert!(html.contains(r#"<header class="fine">"#));
    let markup = markup(&html);
    for asks in ["://", " src=", "<link", "<iframe", "@import"] {
        assert!(!markup.contains(asks), "{asks}");
    }
    let (style, script) = (STYLE.text, SCRIPT.text);
    assert!(!script.contains("</script") && !script.contains("innerHTML") && !style.contains("url("));
    assert!(
        html.contains(&policy(&[STYLE], &[SCRIPT]).replace('\'', "&#39;")),
        "the policy stands in the page"
    );
}

/// The arrows close the circle: the resume waits for the rescan, and the rescan for the resume.
#[test]
fn arrows_lead_from_waiter_to_holder() {
    let data = data(&page(&deadlock(), &Session::default()).0);
    let numbers = |value: &serde_json::Value| -> Vec<u64> {
        value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect()
    };
    let counts = numbers(&data["lanes"]["counts"]);
    let lane_of = |bar: u64| {
        let mut end = 0;
        counts
            .iter()
            .position(|count| {
                end += count;
                bar < end
            })
            .unwrap() as u64
    };
    let arrows: Vec<(u64, u64)> = data["arrows"]
        .as_array()
        .unwrap()
        .iter()
        .map(numbers)
        .map(|pair| (lane_of(pair[0]), pair[1]))
        .collect();
    let back = arrows.iter().any(|&(from, to)| arrows.contains(&(to, from)));
    assert!(back, "{arrows:?} of {}", data["lanes"]["names"]);
}

/// Every bar stands in the data once, with its columns equally long.
#[test]
fn the_bars_are_those_of_the_history() {
    let (page, gather) = recorded("6.1-healthy.pmtrace");
    let data = data(&page);
    let bars = gather.history.spans().count().0;
    for column in ["kinds", "starts", "lengths", "labels"] {
        assert_eq!(data["bars"][column].as_array().unwrap().len(), bars, "{column}");
    }
    let counts = data["lanes"]["counts"].as_array().unwrap();
    assert_eq!(counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), bars as u64);
    assert_eq!(data["left"], serde_json::json!([0, 0]));
    assert!(!data["paths"].as_array().unwrap().is_empty());
}

/// Parents in a circle, from a damaged file, end the tree and not the program.
#[test]
fn a_tree_that_is_none() {
    let mut s = Scenario::new();
    s.device(1, Some(2), "a", "x").device(2, Some(1), "b", "x").device(3, Some(3), "c", "x");
    let (html, _) = page(&s, &Session::default());
    assert_eq!(html.matches("<details").count(), html.matches("</details>").count());
    assert!(html.ends_with("</html>\n") || html.ends_with("</html>"), "the page is whole");
}

/// Whoever is in a chain is a link to its row in the tree, and each node of the drawing one to its row in the list; all
/// of them lead somewhere, without a script too.
#[test]
fn the_wait_graph_leads_to_lists_and_tree() {
    let (html, _) = recorded("6.1-rescan-deadlock.pmtrace");
    let markup = markup(&html);
    let targets: Vec<&str> =
        markup.split(" href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for target in &targets {
        assert!(markup.contains(&format!("id=\"{target}\"")), "#{target}");
    }
    let is_device = |target: &&&str| target.strip_prefix('d').is_some_and(|id| id.parse::<u32>().is_ok());
    assert!(targets.iter().any(|target| is_device(&target)), "{targets:?}");
    let (_, drawing) = markup.split_once("<svg").unwrap();
    let drawing = drawing.split_once("</svg>").unwrap().0;
    assert_eq!(drawing.matches("<a href=\"#link-1-").count(), drawing.matches("<rect").count());
    assert!(drawing.contains("data-lane=\"t"), "tasks have a lane of the timeline");
}
