//! JSON for a script's element of a page.

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io::{self, Write};

/// The value in JSON of which nothing can end the element that it stands in, or begin a character reference: such characters
/// are in strings only, and are written there as `\u00XX`.
pub(super) fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut json = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut json, InPage))?;
    String::from_utf8(json).map_err(serde::ser::Error::custom)
}

struct InPage;

impl Formatter for InPage {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'&' | b'<' | b'>' | b'\'')) {
            out.write_all(&rest.as_bytes()[..at])?;
            write!(out, "\\u{:04x}", rest.as_bytes()[at])?;
            rest = &rest[at + 1..];
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name must not end the script's element.
    #[test]
    fn nothing_in_it_is_markup() {
        let names = ["</script><script>alert('&amp;')", "<!--", "\"\\\n\u{e9}", ""];
        let json = json(&names).unwrap();
        assert!(!json.contains(['<', '>', '&', '\'']), "{json}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), names);
    }
}
