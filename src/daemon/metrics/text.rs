//! The text format of Prometheus, version 0.0.4. Knows nothing of what is counted.

use std::fmt::{Display, Write};

/// Text in the making: one family after another, each with its samples behind it.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Exposition(String);

impl Exposition {
    /// Begins a family: `counter`, `gauge` or `histogram`.
    pub(in crate::daemon) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {}", help.replace('\\', "\\\\").replace('\n', "\\n"));
        let _ = writeln!(self.0, "# TYPE {name} {kind}");
    }

    /// A sample of it.
    pub(in crate::daemon) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (position, (label, text)) in labels.iter().enumerate() {
            let before = if position == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{before}{label}=\"{text}\"");
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    /// A family with one sample and no labels.
    pub(in crate::daemon) fn number(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A histogram of durations: each part by its upper bound in microseconds, and how many there are in it alone.
    pub(in crate::daemon) fn histogram(
        &mut self,
        name: &str,
        label: (&str, &str),
        parts: impl Iterator<Item = (u64, u64)>,
        count: u64,
        microseconds: u64,
    ) {
        let bucket = format!("{name}_bucket");
        let mut so_far = 0;
        for (bound, part) in parts {
            so_far += part;
            self.sample(&bucket, &[label, ("le", &seconds(bound).to_string())], so_far);
        }
        self.sample(&bucket, &[label, ("le", "+Inf")], count);
        self.sample(&format!("{name}_sum"), &[label], seconds(microseconds));
        self.sample(&format!("{name}_count"), &[label], count);
    }

    /// All of it.
    pub(in crate::daemon) fn into_text(self) -> String {
        self.0
    }
}

#[expect(clippy::cast_precision_loss, reason = "a fraction of a microsecond in nine thousand seconds is nothing")]
fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_label_early() {
        let mut out = Exposition::default();
        out.family("a", "gauge", "one\\two\nthree");
        out.sample("a", &[("b", "x\"} 1\n\\"), ("c", "")], 1);
        assert_eq!(out.into_text(), "# HELP a one\\\\two\\nthree\n# TYPE a gauge\na{b=\"x\\\"} 1\\n\\\\\",c=\"\"} 1\n");
    }
}
