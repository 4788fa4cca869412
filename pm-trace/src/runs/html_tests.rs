//! The page, and what the schemas promise.

use super::tests::{cycle, recorded};
use super::{Diff, Found, Side, Summary, diff_schema, html, summary_schema};
use crate::diagnose::Kind;

/// Without style and scripts: what is markup by the page's own will.
fn markup(page: &str) -> String {
    let parts = html::STYLES.iter().chain(&html::SCRIPTS);
    parts.fold(page.to_owned(), |page, part| page.replace(part.text, ""))
}

/// A file, a device or a kernel may be called anything. None of it may become markup, a script or a request.
#[test]
fn names_are_no_markup() {
    let evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[2J\u{202e}\"'&<!--";
    let mut cycles: Vec<_> = (1..9).map(|n| cycle(evil, n, 500_000_000)).collect();
    cycles[3].times.resume = Some(5_000_000_000);
    cycles[4].found.push(Found { kind: Kind::Stall, title: evil.to_owned() });
    let page = Summary::new(cycles, Vec::new()).html().unwrap();
    assert!(page.contains("&#60;img src=x"), "the name is shown, escaped");
    let markup = markup(&page);
    assert!(!markup.contains("<img") && !markup.contains("alert(1)</script>") && !markup.contains("<!--"));
    assert_eq!(markup.matches("<script").count(), html::SCRIPTS.len(), "the page's own, no other");
    assert_eq!(page.chars().find(|&c| crate::text::is_unsafe(c) && c != '\n'), None);
}

/// Whoever reads without JavaScript, or on paper, gets the whole of it; and nothing is fetched.
#[test]
fn all_is_there_without_a_script_and_without_a_network() {
    let names = ["6.1-healthy", "6.1-rescan-deadlock", "6.12-healthy"];
    let summary = Summary::of(&names.map(recorded));
    let markup = markup(&summary.html().unwrap());
    assert!(markup.contains(r#"<header class="error">"#), "a deadlock is the verdict's colour");
    for told in ["6.1.0-56-amd64, mem: 2 cycles, 1 not back", "deadlock", "6.12-healthy.pmtrace", "<svg"] {
        assert!(markup.contains(told), "{told}");
    }
    let rows = markup.split_once(r#"<section id="cycles">"#).unwrap().1;
    assert_eq!(rows.matches("<tr").count(), 1 + summary.cycles.len());
    for asks in ["://", " src=", "<link", "<iframe", "@import", "url(", " style="] {
        assert!(!markup.contains(asks), "{asks}");
    }
}

/// Each cycle that came back is a dot within the picture, in the colour of what it is.
#[test]
fn every_cycle_is_a_dot() {
    let mut cycles: Vec<_> = (1..=20).map(|n| cycle("6.1", n, 500_000_000 + u64::from(n))).collect();
    cycles[6].times.resume = Some(900_000_000);
    cycles[7].times.resume = None;
    cycles[8].found.push(Found { kind: Kind::Stall, title: "stall".to_owned() });
    let page = Summary::new(cycles, Vec::new()).html().unwrap();
    let dots = |class: &str| {
        let (_, rest) = page.split_once(&format!(r#"<path class="dots {class}" d=""#)).unwrap();
        let path = rest.split_once('"').unwrap().0;
        let places = path.split("h0").filter(|dot| !dot.is_empty()).map(|dot| {
            let (x, y) = dot.strip_prefix('M').unwrap().split_once(' ').unwrap();
            (x.parse::<u64>().unwrap(), y.parse::<u64>().unwrap())
        });
        places.collect::<Vec<_>>()
    };
    assert_eq!(["usual", "outlier", "found"].map(|class| dots(class).len()), [17, 1, 1]);
    let top = dots("outlier")[0].1;
    assert!(dots("usual").iter().all(|&(x, y)| x < 900 && y > top && y < 170), "{:?}", dots("usual"));
}

/// What other programs are promised is what they get, with every optional part there and absent.
#[test]
fn the_json_is_as_the_schemas_say() {
    let follows = |schema: String, json: String| {
        let [schema, json] = [schema, json].map(|text| serde_json::from_str(&text).unwrap());
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        // A schema that allows anything would not have noticed.
        let mut other: serde_json::Value = json;
        other["cycles"] = serde_json::json!("none");
        assert!(!validator.is_valid(&other));
    };
    let names = ["6.1-healthy", "6.1-rescan-deadlock", "6.12-rescan-guarded", "none"];
    let mut summary = Summary::of(&names.map(recorded));
    let even = |kernel: &'static str, base: u64| (0..20).map(move |n| cycle(kernel, n, base + u64::from(n)));
    summary.cycles.extend(even("a", 500_000_000).chain(even("b", 700_000_000)));
    summary.cycles[9].times.resume = Some(5_000_000_000);
    let summary = Summary::new(summary.cycles, summary.unread);
    assert!(!summary.outliers.is_empty() && !summary.changes.is_empty() && !summary.unread.is_empty());
    follows(summary_schema().unwrap(), summary.json().unwrap());
    let side = |name: &str| Side::read(&[recorded(name)]).unwrap();
    for after in ["6.12-rescan-guarded", "6.1-rescan-deadlock"] {
        let diff = Diff::new(&side("6.12-healthy"), &side(after), 10.0);
        follows(diff_schema().unwrap(), diff.json().unwrap());
    }
}

#[test]
fn schemas_are_current() {
    for (name, schema) in [("summary", summary_schema().unwrap()), ("diff", diff_schema().unwrap())] {
        let path = format!("{}/../docs/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("PM_TRACE_BLESS").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == schema,
            "docs/{name}.schema.json is out of date: run the test with PM_TRACE_BLESS=1"
        );
    }
}
