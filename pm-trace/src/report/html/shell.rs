//! What every page of the program has: a style, colours, and a policy that allows nothing but the page's own.

/// A style or script that pages carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// As it is.
    pub(crate) text: &'static str,
    /// The hash of it that a policy allows it by: `sha256-...`.
    pub(crate) hash: &'static str,
}

// The build script knows which files they consist of.
include!(concat!(env!("OUT_DIR"), "/parts.rs"));

/// Content security policy: these styles and scripts of the page, by their hashes.
pub(crate) fn policy(styles: &[Part], scripts: &[Part]) -> String {
    let hashes = |parts: &[Part]| parts.iter().map(|part| format!(" '{}'", part.hash)).collect::<String>();
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

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};

    /// A browser refuses a style or a script whose hash is another.
    #[test]
    fn hashes_are_those_of_what_pages_carry() {
        for part in [STYLE, THEME, REPORT_SCRIPT, SUMMARY_STYLE, SUMMARY_SCRIPT] {
            let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(part.text));
            assert!(!part.text.is_empty());
            assert_eq!(part.hash, format!("sha256-{hash}"));
        }
    }
}
