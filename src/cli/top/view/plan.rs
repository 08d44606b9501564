//! Who gets how many rows of the screen.

/// Latency as it is drawn where there is room: a rule, and two charts of two rows.
const LATENCY_ROWS: u16 = 5;

/// Charts of more than four rows tell no more.
const LATENCY_ROWS_MAX: u16 = 9;

/// Who lags, where there is room for charts as well: a rule, names, and six of them.
const LAGGING_ROWS: u16 = 8;

/// From top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Trouble,
    Head,
    Shards,
    Feeds,
    Latency,
    Lagging,
    Keys,
}

const IMPORTANT_FIRST: [Section; 7] = [
    Section::Trouble,
    Section::Head,
    Section::Shards,
    Section::Keys,
    Section::Lagging,
    Section::Feeds,
    Section::Latency,
];

/// What there is to show, in rows without titles.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wants {
    pub trouble: usize,
    pub head: usize,
    pub shards: usize,
    pub feeds: usize,
    pub lagging: usize,
}

/// Rows of each section, with its titles; 0: left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heights([u16; 7]);

impl Wants {
    /// All that there is, of a section.
    fn whole(&self, section: Section) -> u16 {
        // However many there are, a sum of all sections stays within a u16.
        let rows = |count: usize| u16::try_from(count).unwrap_or(u16::MAX).min(8_000);
        match section {
            Section::Trouble => rows(self.trouble),
            Section::Head => rows(self.head),
            // Two tables, each with the names of its columns, below one rule.
            Section::Shards => 3 + 2 * rows(self.shards),
            Section::Feeds => 2 + rows(self.feeds),
            Section::Latency => LATENCY_ROWS,
            Section::Lagging => 2 + rows(self.lagging.max(1)),
            Section::Keys => 1,
        }
    }

    /// Less is of no use.
    fn least(&self, section: Section) -> u16 {
        match section {
            Section::Trouble => rows_or_none(self.trouble),
            Section::Head | Section::Keys => 1,
            Section::Shards => 5,
            Section::Feeds | Section::Latency | Section::Lagging => 3,
        }
    }
}

fn rows_or_none(count: usize) -> u16 {
    u16::from(count > 0)
}

impl Heights {
    pub fn of(&self, section: Section) -> u16 {
        self.0[section as usize]
    }

    pub fn sum(&self) -> u16 {
        self.0.iter().sum()
    }

    /// For all that there is to show, without a line about keys.
    pub fn whole(wants: Wants) -> Heights {
        let mut given = Heights::default();
        for section in IMPORTANT_FIRST {
            given.0[section as usize] = wants.whole(section);
        }
        given.0[Section::Keys as usize] = 0;
        given
    }

    /// First the least of each section that is of use, the important ones first; then more for
    /// each; what is left at last is for who lags.
    pub fn plan(height: u16, wants: Wants) -> Heights {
        let mut given = Heights::default();
        let mut left = height;
        for section in IMPORTANT_FIRST {
            let least = wants.least(section);
            if least <= left {
                given.0[section as usize] = least;
                left -= least;
            }
        }
        let whole = |section: Section| (section, wants.whole(section));
        let (_, lagging) = whole(Section::Lagging);
        for (section, most) in [
            whole(Section::Trouble),
            whole(Section::Head),
            whole(Section::Shards),
            whole(Section::Feeds),
            (Section::Lagging, lagging.min(LAGGING_ROWS)),
            (Section::Latency, LATENCY_ROWS),
            (Section::Lagging, lagging),
            (Section::Latency, LATENCY_ROWS_MAX),
            (Section::Lagging, u16::MAX),
        ] {
            let now = given.of(section);
            // What had no room at all stays out.
            let more = if now == 0 { 0 } else { most.saturating_sub(now).min(left) };
            given.0[section as usize] += more;
            left -= more;
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTS: Wants = Wants { trouble: 0, head: 3, shards: 2, feeds: 1, lagging: 40 };

    fn plan(height: u16, wants: Wants) -> [u16; 7] {
        Heights::plan(height, wants).0
    }

    #[test]
    fn all_sections_fit_a_small_terminal() {
        assert_eq!(plan(24, WANTS), [0, 3, 7, 3, 3, 7, 1]);
        assert_eq!(plan(24, Wants { lagging: 0, ..WANTS }), [0, 3, 7, 3, 7, 3, 1]);
        assert_eq!(plan(24, Wants { trouble: 2, ..WANTS }), [2, 3, 7, 3, 3, 5, 1]);
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        assert_eq!(plan(10, WANTS), [0, 1, 5, 0, 0, 3, 1]);
        assert_eq!(plan(6, WANTS), [0, 1, 5, 0, 0, 0, 0]);
        assert_eq!(plan(0, WANTS), [0; 7]);
    }

    #[test]
    fn every_row_is_given_and_none_twice() {
        for height in 0..200 {
            let given = Heights::plan(height, WANTS);
            assert!(given.sum() == height || height < 10, "{height}: {given:?}");
            assert!(given.sum() <= height, "{height}: {given:?}");
        }
        let many = Wants { trouble: 3, head: 9, shards: 1 << 40, feeds: 1 << 40, lagging: 1 << 40 };
        assert_eq!(Heights::whole(many).sum(), 32_024);
    }
}
