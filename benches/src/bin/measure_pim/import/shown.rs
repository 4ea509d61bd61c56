use std::io::{IsTerminal as _, Write as _};

/// How far an import is, where somebody looks on.
#[derive(Debug)]
pub(super) struct Shown {
    of: usize,
    is_seen: bool,
}

impl Shown {
    pub(super) fn new(of: usize) -> Self {
        Self { of, is_seen: std::io::stderr().is_terminal() }
    }

    /// Shows that so many are done, in place of what was shown before.
    pub(super) fn show(&mut self, done: usize) {
        if self.is_seen {
            // Who cannot be told does not hinder the import.
            let _ = write!(std::io::stderr(), "\r{}", line(done, self.of));
        }
    }

    /// Leaves the line to whatever is said next.
    pub(super) fn end(self) {
        if self.is_seen {
            let _ = writeln!(std::io::stderr());
        }
    }
}

fn line(done: usize, of: usize) -> String {
    format!("… {done} of {of}, {} %", done * 100 / of.max(1))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_tells_how_far_it_is() {
        assert_eq!(line(50, 200), "… 50 of 200, 25 %");
        assert_eq!(line(0, 0), "… 0 of 0, 0 %");
    }
}
