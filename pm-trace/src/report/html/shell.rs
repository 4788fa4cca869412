//! What every page of the program has: a style, colours, and a policy that allows nothing but the page's own.

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

/// The style that all pages share.
pub(crate) const STYLE: &str = include_str!("style.css");
/// The button for the colours.
pub(crate) const THEME: &str = include_str!("theme.js");

/// Content security policy: these styles and scripts of the page, by their hashes.
pub(crate) fn policy(styles: &[&str], scripts: &[&str]) -> String {
    let hash = |text: &&str| {
        let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
        format!(" 'sha256-{hash}'")
    };
    let hashes = |texts: &[&str]| texts.iter().map(hash).collect::<String>();
    format!(
        "default-src 'none'; style-src{}; script-src{}; base-uri 'none'; form-action 'none'",
        hashes(styles),
        hashes(scripts)
    )
}

/// Control characters and those that change the direction of text have no place in a page: a line break
/// and a tab are the template's.
pub(crate) fn without_unsafe(page: String) -> String {
    if crate::text::find_unsafe(&page).is_none() {
        return page;
    }
    let is_bad = |c: char| crate::text::is_unsafe(c) && !matches!(c, '\n' | '\t');
    page.replace(is_bad, "\u{fffd}")
}
