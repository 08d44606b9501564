//! The older text format, version 0.0.4, made of OpenMetrics.
//!
//! They differ in the names of families: there, a counter's family has its samples' suffix, and
//! there is no type `info`. Units and the end mark are comments that nobody reads.

/// `text` is what `prometheus_client` writes: of each family HELP, then TYPE, then the samples.
pub fn of_open_metrics(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("# UNIT ") || line == "# EOF" {
            continue;
        }
        // The help comes first, and only the next line tells its family's type.
        let typed = if line.starts_with("# HELP ") { lines.peek().copied() } else { Some(line) };
        let suffix = typed.and_then(suffix).unwrap_or("");
        match line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')) {
            Some((kind @ ("HELP" | "TYPE"), rest)) => {
                let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                let rest = if kind == "TYPE" && rest == "info" { "gauge" } else { rest };
                plain.push_str(&format!("# {kind} {name}{suffix} {rest}\n"));
            }
            _ => {
                plain.push_str(line);
                plain.push('\n');
            }
        }
    }
    plain
}

fn suffix(line: &str) -> Option<&'static str> {
    match line.strip_prefix("# TYPE ")?.rsplit_once(' ')?.1 {
        "counter" => Some("_total"),
        "info" => Some("_info"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_infos_get_their_samples_names() {
        let open = "# HELP t_build What runs.\n# TYPE t_build info\nt_build_info{v=\"1\"} 1\n\
                    # HELP t_sent_bytes Sent.\n# TYPE t_sent_bytes counter\n\
                    # UNIT t_sent_bytes bytes\nt_sent_bytes_total{a=\"# EOF\"} 3\n\
                    # HELP t_age_seconds Age.\n# TYPE t_age_seconds gauge\nt_age_seconds 1.5\n\
                    # EOF\n";
        let plain = "# HELP t_build_info What runs.\n# TYPE t_build_info gauge\n\
                     t_build_info{v=\"1\"} 1\n# HELP t_sent_bytes_total Sent.\n\
                     # TYPE t_sent_bytes_total counter\nt_sent_bytes_total{a=\"# EOF\"} 3\n\
                     # HELP t_age_seconds Age.\n# TYPE t_age_seconds gauge\nt_age_seconds 1.5\n";
        assert_eq!(of_open_metrics(open), plain);
    }
}
