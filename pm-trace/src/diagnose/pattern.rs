//! Texts with gaps.

/// Whether `text` is `pattern`, in which `*` stands for anything.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(place) = rest.find(part) else { return false };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn stars_stand_for_anything() {
    assert!(fits("a*c", "abc") && fits("*", "") && fits("abc", "abc") && fits("a*b*c", "a1b2c"));
    assert!(!fits("abc", "abcd") && !fits("a*c", "ab") && !fits("b*", "abc"));
}
